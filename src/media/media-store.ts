import { randomUUID } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { Turn } from '../storage/turn.ts';
import type { UserFolder } from '../user-folder.ts';
import { type ArrivalPlace, Arrivals, type ArrivedFile, readArrivals } from './arrivals.ts';
import {
  allEnded,
  codeOf,
  copySynced,
  keepUnder,
  moveOver,
  syncFile,
  syncFolder,
  writeFiles,
  writeSynced,
} from './durable-files.ts';
import { contentOf, sizeOf } from './file-content.ts';
import type { MediaEntry } from './media-db.ts';
import { isFileName, type MediaName } from './media-name.ts';
import {
  arrivalsFile,
  batchFolder,
  readTrashRecord,
  type TrashRecord,
  trashRoot,
  unfinishedBatchFile,
} from './media-trash.ts';
import type { Content } from './plan-upload.ts';
import { archiveBatch, settleBatch } from './settle-batch.ts';

/** Content that has come, checked and whole: in memory, or in a file of the `incoming` folder, which the store takes. */
export type ReceivedContent = Content & ({ readonly bytes: Uint8Array } | { readonly path: string });

/** What a batch does to one name. Without `content` the file goes; without `after` the name leaves the index as well. */
export interface FileChange {
  readonly before: MediaEntry | undefined;
  readonly after: MediaEntry | undefined;
  readonly content: ReceivedContent | undefined;
}

/** The changes of one request. */
export interface Batch {
  readonly changes: ReadonlyMap<MediaName, FileChange>;
  /** Counter after the batch; names the folder in the trash. */
  readonly usnAfter: number;
  readonly at: Date;
}

/** What it takes to carry out a batch. */
interface Preparation {
  /** Names and the files that are moved there. */
  readonly moves: ReadonlyMap<MediaName, string>;
  /** Names whose files are in the way. */
  readonly displaced: readonly MediaName[];
  /** Files to be written, by path. */
  readonly written: ReadonlyMap<string, Uint8Array>;
  /** Files that are there, and have to be on the disk. */
  readonly unsynced: ReadonlySet<string>;
  readonly copies: readonly (readonly [from: string, to: string])[];
}

/** The steps of a batch, in order; `moved` and `removed` come once for each file. */
export type BatchStep = 'prepared' | 'recorded' | 'kept' | 'moved' | 'synced' | 'committed' | 'removed' | 'closed';

/** Is called after every step. A test may throw here, or copy the folder: that is what a crash would leave. */
export type StepHook = (step: BatchStep) => void | Promise<void>;

type EntryOf = (name: string) => MediaEntry | undefined;

/**
 * The media files of one user. The index and the folder change together, in this order:
 *
 * 1. The new bytes are in files of `incoming`, durable.
 * 2. If any name has a file already: a record of the batch is written to `media-batch.json`, then each such file gets a
 *    second name in the trash. Both durable.
 * 3. The new files are moved over their names; the folder is synced.
 * 4. The index commits. This is the moment at which the batch has happened.
 * 5. Files of deleted names are removed (the trash has them), and the record moves to the trash.
 *
 * A crash before 4 leaves an index that is older than some files, a crash after 4 leaves files that should be gone. The
 * other way round (index first) a crash would leave entries that promise bytes which are nowhere under that name; this
 * way the right bytes of every entry always exist, under the name or in the trash, and `settleBatch` puts them back:
 * the index is always right, the files follow. Without a record there is nothing to undo, as new names displace nothing:
 * what a crash leaves then is a spare file that no entry points at, which the same upload finds in its place.
 *
 * Small files that displace nothing take a shorter way: their bytes are made durable together, see `Arrivals`, while they
 * are written to `incoming`, and neither they nor the folder are synced before 4.
 */
export class MediaStore {
  readonly #folder: UserFolder;
  readonly #entryOf: EntryOf;
  readonly #log: Log;
  readonly #onStep: StepHook;
  readonly #arrivals: Arrivals;

  /** `entryOf` tells what the index says now. */
  constructor(folder: UserFolder, entryOf: EntryOf, log: Log, onStep: StepHook = () => {}) {
    this.#folder = folder;
    this.#entryOf = entryOf;
    this.#log = log;
    this.#onStep = onStep;
    this.#arrivals = new Arrivals(folder, log);
  }

  /** Makes the folders, and finishes or undoes a batch that a crash cut off. */
  async open(): Promise<void> {
    await mkdir(this.#folder.media, { recursive: true });
    await mkdir(this.#folder.incoming, { recursive: true });
    await syncFolder(this.#folder.root); // The media folder may be so new that its own name is not on the disk.
    await this.#takeArrivals();
    await this.#settleLeftover();
  }

  /** Brings everything to the disk. */
  close(): Promise<void> {
    return this.#arrivals.close();
  }

  /** A new path for bytes on their way in or out. */
  temporaryPath(): string {
    return path.join(this.#folder.incoming, `media-${randomUUID()}`);
  }

  /**
   * Carries out a batch; `commit` saves it in the index. On failure files and index are as before, as far as the disk
   * allows, and else at the next `open`.
   */
  async apply(batch: Batch, commit: () => void): Promise<void> {
    // What is left of an earlier batch goes first: it is about the files that are looked at now.
    await this.#settleLeftover();
    const preparation = await this.#prepare(batch);
    const { moves, displaced, written } = preparation;
    const isShort = displaced.length === 0 && written.size > 0 && written.size === moves.size;
    const moved = new Set<MediaName>();
    let place: ArrivalPlace | undefined;
    let record: TrashRecord | undefined;
    try {
      if (isShort) {
        // The files are written while the disk takes their record.
        const recording = this.#arrivals.record(arrivedFiles(batch, moves.keys()));
        await allEnded([recording, this.#write(preparation, isShort)]);
        place = await recording;
      } else {
        await this.#arrivals.settle(); // What is displaced has to be whole in the trash.
        await this.#write(preparation, isShort);
      }
      await this.#onStep('prepared');
      if (displaced.length > 0) record = await this.#keep(batch, displaced);
      await this.#moveAll(moves, moved);
      if (!isShort && moves.size > 0) await syncFolder(this.#folder.media);
      await this.#onStep('synced');
      commit();
    } catch (error) {
      if (isShort) this.#arrivals.dropped();
      const added = [...moved].filter((name) => !displaced.includes(name));
      await this.#undo(added, [...moves.values()], error);
      throw error;
    }
    if (place !== undefined)
      this.#arrivals.stored(
        place,
        Array.from(moves.keys(), (name) => this.#pathOf(name)),
      );
    await this.#onStep('committed');
    if (record !== undefined) await this.#finish(record);
  }

  /** Where the file of an index entry lies; undefined when its name cannot be that of a file. */
  pathOfEntry(name: string): string | undefined {
    return isFileName(name) ? this.#pathOf(name) : undefined;
  }

  async #prepare(batch: Batch): Promise<Preparation> {
    const moves = new Map<MediaName, string>();
    const displaced: MediaName[] = [];
    const written = new Map<string, Uint8Array>();
    const unsynced = new Set<string>();
    const copies: (readonly [from: string, to: string])[] = [];
    for (const [name, { content }] of batch.changes) {
      const inPlace = await this.#contentOf(name, content?.size);
      if (content !== undefined && inPlace?.sha1 === content.sha1) {
        // The index lost sight of it, or a crash came between move and commit: the right bytes are there already.
        unsynced.add(this.#pathOf(name));
        continue;
      }
      if (inPlace !== undefined) displaced.push(name);
      if (content === undefined) continue;
      // Two names may share one content; never one file, since other programs write files in place.
      const isOwnFile = 'path' in content && !unsynced.has(content.path);
      const source = isOwnFile ? content.path : this.temporaryPath();
      moves.set(name, source);
      if (isOwnFile) unsynced.add(source);
      else if ('path' in content) copies.push([content.path, source]);
      else written.set(source, content.bytes);
    }
    return { moves, displaced, written, unsynced, copies };
  }

  // Step 1.
  async #write({ written, unsynced, copies }: Preparation, isShort: boolean): Promise<void> {
    await writeFiles(written, { isSynced: !isShort });
    await allEnded([...unsynced].map(syncFile));
    for (const [from, to] of copies) await copySynced(from, to);
  }

  // Step 2.
  async #keep(batch: Batch, displaced: readonly MediaName[]): Promise<TrashRecord> {
    const record = recordOf(batch, displaced);
    const root = trashRoot(this.#folder.root);
    const files = path.join(root, record.folder, 'files');
    const draft = this.temporaryPath();
    await writeSynced(draft, Buffer.from(`${JSON.stringify(record, null, 1)}\n`));
    await rename(draft, unfinishedBatchFile(this.#folder.root));
    await this.#onStep('recorded');
    await mkdir(files, { recursive: true });
    await allEnded(displaced.map((name) => keepUnder(this.#pathOf(name), path.join(files, name))));
    const batchPath = path.dirname(files);
    await Promise.all([files, batchPath, path.dirname(batchPath), root, this.#folder.root].map(syncFolder));
    await this.#onStep('kept');
    return record;
  }

  // Step 3.
  async #moveAll(moves: ReadonlyMap<MediaName, string>, moved: Set<MediaName>): Promise<void> {
    const turn = new Turn();
    for (const [name, source] of moves) {
      await moveOver(source, this.#pathOf(name));
      moved.add(name);
      await this.#onStep('moved');
      if (turn.isOver) await turn.next();
    }
  }

  // Step 5. The batch has happened, so the client hears of no trouble here: the next batch or `open` comes back to it.
  async #finish(record: TrashRecord): Promise<void> {
    try {
      for (const file of record.files) {
        if (file.newSha1 !== null) continue;
        await rm(this.#pathOf(file.name), { force: true });
        await this.#onStep('removed');
      }
      await archiveBatch(this.#folder, record);
      await this.#onStep('closed');
    } catch (error) {
      this.#log.warn(
        { user: this.#folder.user, reason: messageOf(error) },
        'Cannot clean up after a media batch; the next opening will',
      );
    }
  }

  // Steps 1 to 3 backwards. Added files had nothing in their place.
  async #undo(added: readonly MediaName[], sources: readonly string[], cause: unknown): Promise<void> {
    try {
      for (const name of added) {
        if (!this.#entryOf(name)?.size) await rm(this.#pathOf(name), { force: true });
      }
      await removeAll(sources);
      await this.#settleLeftover();
    } catch (error) {
      // The record stays, and the next batch or `open` tries again.
      throw new AggregateError([cause, error], `Cannot undo a media batch: ${messageOf(error)}`, { cause });
    }
  }

  // What a power cut took of files that the index knows comes back.
  async #takeArrivals(): Promise<void> {
    const restored: string[] = [];
    for (const { name, sha1, bytes } of readArrivals(this.#folder.root)) {
      const entry = this.#entryOf(name);
      if (entry === undefined || entry.size === 0 || entry.sha1 !== sha1) continue;
      const target = this.#pathOf(name);
      if ((await this.#contentOf(name, entry.size))?.sha1 === sha1) {
        await syncFile(target);
        continue;
      }
      const draft = this.temporaryPath();
      await writeSynced(draft, bytes);
      await moveOver(draft, target);
      restored.push(name);
    }
    await syncFolder(this.#folder.media);
    await rm(arrivalsFile(this.#folder.root), { force: true });
    if (restored.length === 0) return;
    this.#log.warn({ user: this.#folder.user, names: restored }, 'Put media files back that had not reached the disk');
  }

  async #settleLeftover(): Promise<void> {
    const file = unfinishedBatchFile(this.#folder.root);
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return;
    let record: TrashRecord | undefined;
    try {
      record = await readTrashRecord(file);
    } catch (error) {
      if (codeOf(error) !== '') throw error; // The disk, not the record.
      // Whatever this is, it was not written here. It must not lock the user out of the media for good.
      const aside = `${file}.unreadable-${randomUUID().slice(0, 8)}`;
      this.#log.error(
        { user: this.#folder.user, aside, reason: messageOf(error) },
        'Cannot read the record of a media batch that was cut off; it was put aside. See anki-sync-server verify',
      );
      await rename(file, aside);
    }
    if (record === undefined) return;
    await settleBatch(this.#folder, record, this.#entryOf);
    const names = record.files.map((each) => each.name);
    this.#log.warn({ user: this.#folder.user, names }, 'Settled a media batch that was cut off');
  }

  // Hash and length of the file under a name. Where the length alone tells that it is not the expected one, the hash is
  // left out.
  async #contentOf(name: string, expectedSize: number | undefined): Promise<Partial<Content> | undefined> {
    const size = isFileName(name) ? sizeOf(this.#pathOf(name)) : undefined;
    if (size === undefined || size !== expectedSize) return size === undefined ? undefined : { size };
    return contentOf(this.#pathOf(name));
  }

  #pathOf(name: string): string {
    if (!isFileName(name)) throw new Error(`Not the name of a media file: ${JSON.stringify(name)}`);
    return path.join(this.#folder.media, name);
  }
}

function arrivedFiles(batch: Batch, names: Iterable<MediaName>): ArrivedFile[] {
  return Array.from(names).flatMap((name) => {
    const content = batch.changes.get(name)?.content;
    return content !== undefined && 'bytes' in content ? [{ ...content, name }] : [];
  });
}

function recordOf(batch: Batch, displaced: readonly MediaName[]): TrashRecord {
  const files = displaced.map((name) => {
    const change = batch.changes.get(name);
    const before = change?.before;
    return {
      name,
      usn: change?.after?.usn ?? null,
      old: before ? { sha1: before.sha1, size: before.size, mtimeSecs: before.mtimeSecs } : null,
      newSha1: change?.content?.sha1 ?? null,
    };
  });
  const unique = randomUUID().slice(0, 8); // A batch that was undone may come again within the second.
  const folder = `${batchFolder(batch.at, batch.usnAfter)}-${unique}`;
  return { version: 1, at: batch.at.toISOString(), folder, files };
}

async function removeAll(files: Iterable<string>): Promise<void> {
  for (const file of files) await rm(file, { force: true });
}
