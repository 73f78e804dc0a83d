import { mediaChangesMax, zipInMemoryBytesMax } from '../limits.ts';
import type { Log } from '../log.ts';
import type { UserFolder } from '../user-folder.ts';
import type { MediaChange, MediaDb, MediaEntry } from './media-db.ts';
import type { MediaName } from './media-name.ts';
import { type FileChange, MediaStore, type ReceivedContent, type StepHook } from './media-store.ts';
import { planDownload, type WantedFile } from './plan-download.ts';
import { type PlannedStep, planUpload, type UploadedChange, type UploadPlan } from './plan-upload.ts';
import { openIndex } from './rebuild-index.ts';
import { type ZipSource, zipToBytes, zipToFile } from './zip-out.ts';

/** The files of a zip. */
export interface ContentSum {
  readonly files: number;
  /** Of their content. */
  readonly contentBytes: number;
}

export type Download =
  | ({ readonly kind: 'bytes'; readonly bytes: Buffer<ArrayBuffer> } & ContentSum)
  | ({ readonly kind: 'file'; readonly path: string; readonly byteLength: number } & ContentSum)
  | { readonly kind: 'unavailable'; readonly names: readonly string[] };

/** What an upload did; pairs that changed nothing do not count. */
export interface UploadDone {
  /** Counter after it. */
  readonly usn: number;
  /** Files that are new or replaced. */
  readonly filesStored: number;
  readonly bytesStored: number;
  readonly filesDeleted: number;
}

/** Clock and steps are for tests: another clock, and a look at every step of a batch. */
export interface UserMediaOptions {
  /** Damage was found in the index: have a close look at it. */
  readonly isSuspect?: boolean;
  readonly nowMs?: () => number;
  readonly onStep?: StepHook;
}

/**
 * The media of one user: index and files, opened together and owned by this process. Callers run one method at a time.
 */
export class UserMedia implements AsyncDisposable {
  readonly #folder: UserFolder;
  readonly #log: Log;
  readonly #db: MediaDb;
  readonly #store: MediaStore;
  readonly #nowMs: () => number;

  private constructor(folder: UserFolder, log: Log, db: MediaDb, options: UserMediaOptions) {
    this.#folder = folder;
    this.#log = log;
    this.#db = db;
    this.#store = new MediaStore(folder, (name) => db.entry(name), log, options.onStep);
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** Opens or creates the media of a user whose folder exists; finishes what a crash cut off. */
  static async open(folder: UserFolder, log: Log, options: UserMediaOptions = {}): Promise<UserMedia> {
    const { nowMs = Date.now, isSuspect = false } = options;
    const db = await openIndex(folder, log, { nowMs: nowMs(), isSuspect });
    try {
      if (db.recounted) log.warn({ user: folder.user }, 'Corrected the counters of the media index');
      const media = new UserMedia(folder, log, db, options);
      await media.#store.open();
      return media;
    } catch (error) {
      db[Symbol.dispose]();
      throw error;
    }
  }

  /** Counter of changes. One short read, at any time. */
  get lastUsn(): number {
    return this.#db.lastUsn;
  }

  /** Files that are not deleted. */
  get fileCount(): number {
    return this.#db.fileCount;
  }

  /** Bytes of the files that are not deleted. */
  get totalBytes(): number {
    return this.#db.totalBytes;
  }

  /** Changes after a usn in rising order, as many as one answer holds. */
  changesAfter(afterUsn: number): MediaChange[] {
    return this.#db.changesAfter(afterUsn, mediaChangesMax);
  }

  /** A new path in `incoming`. */
  temporaryPath(): string {
    return this.#store.temporaryPath();
  }

  /** Bytes of all files as they would be after an upload. */
  bytesAfter(changes: readonly UploadedChange[]): number {
    const plan = planUpload(changes, (name) => this.#db.entry(name), { lastUsn: this.#db.lastUsn, nowSecs: 0 });
    const growths = [...plan.files].map(([name, { entry }]) => entry.size - (this.#db.entry(name)?.size ?? 0));
    return growths.reduce((sum, growth) => sum + growth, this.#db.totalBytes);
  }

  /** Stores an upload: all of its changes or none. When it returns everything is on the disk. */
  async upload(changes: readonly UploadedChange<ReceivedContent>[]): Promise<UploadDone> {
    const at = new Date(this.#nowMs());
    const state = { lastUsn: this.#db.lastUsn, nowSecs: Math.floor(at.getTime() / 1000) };
    const plan = planUpload(changes, (name) => this.#db.entry(name), state);
    const { usnBefore, usnAfter } = plan;
    if (plan.files.size > 0) {
      const files = new Map<MediaName, FileChange>();
      const entries = new Map<string, MediaEntry>();
      for (const [name, { entry, content }] of plan.files) {
        files.set(name, { before: this.#db.entry(name), after: entry, content });
        entries.set(name, entry);
      }
      await this.#store.apply({ changes: files, usnAfter, at }, () => this.#db.save({ usnBefore, usnAfter, entries }));
    }
    this.#logSteps(plan.steps);
    return { usn: usnAfter, ...sumOf(plan) };
  }

  /**
   * The zip of the first files of a list. `unavailable` when one of them is unknown or deleted, or when its file is not
   * there or does not hold what the index says. Such a name is forgotten without a tombstone: devices that have the
   * file keep it, find at their sanity check that the server lacks it, and send it again. They only check after a
   * change, so the counter goes up, though without a record: one of another file would beat what a device has done to that
   * and not sent yet.
   */
  async download(names: readonly string[]): Promise<Download> {
    const plan = planDownload(names, (name) => this.#db.entry(name));
    if (plan.kind === 'unavailable') return { kind: 'unavailable', names: [plan.name] };
    const contentBytes = plan.files.reduce((sum, { entry }) => sum + entry.size, 0);
    const sources = plan.files.map((file) => this.#source(file));
    const content = { files: sources.length, contentBytes };
    if (contentBytes <= zipInMemoryBytesMax) {
      const made = await zipToBytes(sources);
      return made.kind === 'bad' ? this.#forget(made.sources) : { kind: 'bytes', bytes: made.bytes, ...content };
    }
    const path = this.#store.temporaryPath();
    const made = await zipToFile(sources, path);
    return made.kind === 'bad'
      ? this.#forget(made.sources)
      : { kind: 'file', path, byteLength: made.byteLength, ...content };
  }

  /** Closes the index: the file is alone afterwards, and others may open it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
    this.#db[Symbol.dispose]();
  }

  #source({ name, entry: { size, sha1 } }: WantedFile): ZipSource {
    return { name, path: this.#store.pathOfEntry(name), size, sha1 };
  }

  // The bytes that are there in place of the right ones go to the trash: they may be all that is left.
  async #forget(bad: readonly ZipSource[]): Promise<Download> {
    const changes = new Map<MediaName, FileChange>();
    const entries = new Map<string, undefined>();
    for (const { name } of bad) {
      changes.set(name as MediaName, { before: this.#db.entry(name), after: undefined, content: undefined });
      entries.set(name, undefined);
    }
    const usnBefore = this.#db.lastUsn;
    const usnAfter = usnBefore + 1;
    const batch = { changes, usnAfter, at: new Date(this.#nowMs()) };
    await this.#store.apply(batch, () => this.#db.save({ usnBefore, usnAfter, entries }));
    for (const { name, sha1 } of bad) {
      this.#log.warn(
        { user: this.#folder.user, filename: name, sha1 },
        'A media file was missing or damaged, so it was forgotten; a device that has it sends it again',
      );
    }
    return { kind: 'unavailable', names: bad.map(({ name }) => name) };
  }

  // The line about the sync tells how many; only what is gone from the folder must be found again one by one.
  #logSteps(steps: readonly PlannedStep[]): void {
    const { user } = this.#folder;
    const others: Record<'added' | 'unchanged' | 'absent', string[]> = { added: [], unchanged: [], absent: [] };
    for (const { name: filename, effect, oldSha1, newSha1 } of steps) {
      switch (effect) {
        case 'added':
        case 'unchanged':
        case 'absent':
          others[effect].push(filename);
          break;
        case 'replaced':
          this.#log.info(
            { user, filename, old_sha1: oldSha1, new_sha1: newSha1 },
            'Replaced a media file; the old one is in the trash',
          );
          break;
        case 'removed':
          this.#log.info({ user, filename, sha1: oldSha1 }, 'Removed a media file; it is in the trash');
          break;
        default:
          effect satisfies never;
      }
    }
    this.#log.debug({ user, ...others }, 'Took an upload of media: added, there already, gone already');
  }
}

/** How the names of an upload end up. */
function sumOf({ files }: UploadPlan): Omit<UploadDone, 'usn'> {
  const sum = { filesStored: 0, bytesStored: 0, filesDeleted: 0 };
  for (const { entry } of files.values()) {
    if (entry.size === 0) sum.filesDeleted += 1;
    else sum.filesStored += 1;
    sum.bytesStored += entry.size;
  }
  return sum;
}
