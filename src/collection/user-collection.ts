import { SyncError } from '../errors.ts';
import { sessionIdleMsMax } from '../limits.ts';
import type { Log } from '../log.ts';
import type { UserFolder } from '../user-folder.ts';
import { CollectionFile, type Preparation } from './collection-file.ts';
import { type CollectionSummary, readSummary } from './collection-summary.ts';
import { loadCounts, type RowCounts, rememberCounts } from './kept-counts.ts';
import { keptSmalls, rememberSmalls } from './kept-smalls.ts';
import type { CollectionFacts } from './stored-file.ts';
import type { SyncEnded, SyncEnding, SyncTally } from './sync-ended.ts';
import {
  type AbortRequest,
  abortEnds,
  claimSession,
  clientIsAhead,
  isForgotten,
  type SyncSession,
} from './sync-session.ts';
import { SyncWork } from './sync-work.ts';

/** An `abort` with a foreign session key ends a sync that was silent this long, milliseconds. */
const foreignAbortIdleMs = 5_000;
/** How many answers to `meta` are remembered per user, to notice a `start` that builds on a stale one. */
const rememberedMetasMax = 8;

/** What the client of a sync that begins has said of it. */
export type BegunSync = Omit<SyncSession, 'client' | 'serverUsn' | 'beganMs' | 'lastSeenMs' | 'pendingChunks'>;

/** A collection that is about to be downloaded. */
export interface BegunDownload {
  /** Bytes of the file; undefined when it cannot stand still. */
  readonly byteLength: number | undefined;
  readonly counts: RowCounts;
}

/** An answer to `meta`: what it said, to whom, and when (epoch milliseconds). */
interface RememberedMeta {
  readonly stamp: string;
  readonly client: string;
  readonly atMs: number;
}

interface HowItEnded {
  readonly ending: SyncEnding;
  readonly why?: string | undefined;
  readonly detail?: string | undefined;
}

/** Thrown when the file must be prepared in the thread for heavy work first; the caller does so and tries again. */
export class PreparationNeeded extends Error {
  readonly preparation: Preparation;

  constructor(preparation: Preparation) {
    super(`The collection needs a preparation first: ${preparation}`);
    this.name = 'PreparationNeeded';
    this.preparation = preparation;
  }
}

/**
 * One user's collection: the connection while it is in use, and the sync session with its open transaction. All methods
 * are synchronous and belong to the thread that owns the user.
 */
export class UserCollection implements Disposable {
  readonly folder: UserFolder;
  readonly log: Log;
  readonly #tell: (ended: SyncEnded) => void;
  #file: CollectionFile | undefined;
  #work: SyncWork | undefined;
  /** What others see while a sync has uncommitted changes. */
  #committed: CollectionSummary | undefined;
  #downloadsRunning = 0;
  readonly #metas = new Map<string, RememberedMeta>();

  /** `tell` hears of the end of every sync. */
  constructor(folder: UserFolder, log: Log, tell: (ended: SyncEnded) => void = () => {}) {
    this.folder = folder;
    this.log = log;
    this.#tell = tell;
  }

  /** The collection's state as last committed. */
  summary(): CollectionSummary {
    if (this.#work !== undefined && this.#committed !== undefined) return this.#committed;
    return readSummary(this.#open());
  }

  /** Counts of the collection; within a sync, with what it has changed so far. */
  facts(): CollectionFacts {
    const { sql } = this.#open();
    const { notes, cards, revlog } = this.#work?.counts ?? loadCounts(this.folder.collection, sql);
    const lastReview = sql.get('SELECT max(id) FROM revlog')?.[0];
    return {
      notes,
      cards,
      reviews: revlog,
      lastReviewMs: typeof lastReview === 'number' ? lastReview : null,
      modifiedMs: this.summary().mtimeMs,
    };
  }

  /** Notes what a client was told by `meta`, so that `start` can tell whether it still holds, and who and when it was. */
  rememberMeta(
    sessionKey: string,
    summary: CollectionSummary,
    { client, nowMs }: { readonly client: string; readonly nowMs: number },
  ): void {
    if (sessionKey === '') return;
    this.#metas.delete(sessionKey);
    this.#metas.set(sessionKey, { stamp: stampOf(summary), client, atMs: nowMs });
    const oldest = this.#metas.keys().next();
    if (this.#metas.size > rememberedMetasMax && oldest.done !== true) this.#metas.delete(oldest.value);
  }

  /** Begins a sync; one that is running ends, rolled back. */
  begin(options: BegunSync, nowMs: number): SyncWork {
    this.abandon('conflict', 'another sync began');
    const file = this.#open();
    const summary = readSummary(file);
    const { sessionKey } = options;
    const told = this.#metas.get(sessionKey);
    this.#metas.delete(sessionKey); // A client asks again before its next sync.
    const session: SyncSession = {
      ...options,
      client: told?.client ?? options.clientVersion,
      serverUsn: summary.usn,
      beganMs: told?.atMs ?? nowMs,
      lastSeenMs: nowMs,
      pendingChunks: undefined,
    };
    if (told !== undefined && told.stamp !== stampOf(summary)) {
      const why = 'another device has synced since its first message';
      this.#tellEnd(session, undefined, { ending: 'conflict', why });
      throw new SyncError('syncConflict', `Cannot begin the sync: ${why}`);
    }
    if (this.#downloadsRunning === 0) file.checkpointLongLog();
    file.beginWork();
    this.#committed = summary;
    try {
      const counts = loadCounts(this.folder.collection, file.sql);
      this.#work = new SyncWork(file, session, counts, Math.floor(nowMs / 1000));
      this.#work.knownSmalls = keptSmalls.of(this.folder.collection, file.sql);
    } catch (error) {
      file.rollbackWork();
      throw error;
    }
    return this.#work;
  }

  /** The running sync, if it is the one with this key. */
  resume(sessionKey: string, nowMs: number): SyncWork {
    const claim = claimSession(this.#work?.session, sessionKey);
    if (claim.kind === 'refuse') throw new SyncError('syncConflict', `Cannot go on with the sync: ${claim.reason}`);
    if (this.#work === undefined) throw new Error('A claimed session has no work');
    claim.session.lastSeenMs = nowMs;
    this.#work.nowSecs = Math.floor(nowMs / 1000);
    return this.#work;
  }

  /** Commits the running sync: usn + 1, `mod` and `ls` become the returned time in milliseconds, later than any before. */
  finish(work: SyncWork, nowMs: number): number {
    const file = this.#open();
    const previous = this.#committed?.mtimeMs ?? 0;
    const mtimeMs = Math.max(nowMs, previous + 1);
    work.plainSql.run('UPDATE col SET mod = ?, ls = ?, usn = ?', mtimeMs, mtimeMs, work.session.serverUsn + 1);
    if (clientIsAhead(work.session)) work.plainSql.run('UPDATE col SET scm = ?', mtimeMs);
    file.commitWork();
    this.#work = undefined;
    this.#committed = undefined;
    rememberCounts(this.folder.collection, file.sql, work.counts);
    rememberSmalls(this.folder.collection, file.sql, work.knownSmalls);
    work.session.lastSeenMs = nowMs;
    this.#tellEnd(work.session, work.tally, { ending: 'done' });
    return mtimeMs;
  }

  /** Ends the running sync on a client's wish; see `abortEnds` for whose. */
  abort(request: AbortRequest, nowMs: number): void {
    if (this.#work === undefined) return;
    if (!abortEnds(this.#work.session, request, nowMs, foreignAbortIdleMs)) return;
    this.abandon('aborted', 'it was cancelled on the device');
  }

  /** Ends and undoes the running sync, if there is one. `why` completes "rolled back, because". */
  abandon(ending: Exclude<SyncEnding, 'done'>, why: string, detail?: string): void {
    const work = this.#work;
    if (work === undefined) return;
    this.#work = undefined;
    this.#committed = undefined;
    this.#tellEnd(work.session, work.tally, { ending, why, detail });
    this.#file?.rollbackWork();
  }

  /** Ends a sync whose client was not heard of for too long. */
  abandonForgotten(nowMs: number): void {
    if (this.#work === undefined || !isForgotten(this.#work.session, nowMs, sessionIdleMsMax)) return;
    this.abandon('silent', `nothing was heard of the device for ${sessionIdleMsMax / 60_000} minutes`);
  }

  /**
   * For a full download: raises usn and `mod`, and moves all commits into the main file, which then stays as it is until
   * `downloadEnded`. Returns what it holds and its size in bytes, or undefined for that when the file cannot stand still because another download
   * still reads an older state or the form is not canonical; then `copyTo` makes a private copy.
   */
  beginDownload(sessionKey: string, nowMs: number): BegunDownload {
    this.#metas.delete(sessionKey); // It knows that it has changed the collection itself.
    this.abandon('conflict', 'a full download began');
    const file = this.#open();
    const mtimeMs = Math.max(nowMs, readSummary(file).mtimeMs + 1);
    const counts = loadCounts(this.folder.collection, file.sql);
    file.inTransaction(() => file.sql.run('UPDATE col SET mod = ?, usn = usn + 1', mtimeMs));
    rememberCounts(this.folder.collection, file.sql, counts);
    if (this.#downloadsRunning > 0 || file.isWorkingForm) return { byteLength: undefined, counts };
    file.checkpoint();
    this.#downloadsRunning += 1;
    return { byteLength: file.byteLength, counts };
  }

  /**
   * For a backup: from here on the main file stays as it is until `downloadEnded`, and commits, also of a sync that is
   * running, go to the `-wal`, which only grows: a copy of the two, made in that order, is the collection as committed at
   * some moment since.
   */
  standStill(): void {
    this.#open();
    this.#downloadsRunning += 1;
  }

  /** Copies the committed state to `target`, a new file, in the form that it has: true for working form. */
  async copyTo(target: string): Promise<boolean> {
    const file = this.#file ?? this.#open(); // Also of a file that was taken away.
    await file.copyTo(target);
    return file.isWorkingForm;
  }

  /** The main file is read no more. */
  downloadEnded(): void {
    this.#downloadsRunning = Math.max(0, this.#downloadsRunning - 1);
  }

  /** Does a download read the main file? Then it can be neither closed nor replaced. */
  get isBeingDownloaded(): boolean {
    return this.#downloadsRunning > 0;
  }

  /** Is a connection open? */
  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Is a file open that another program has removed or replaced? Then it must be rescued before it is closed. */
  get isStray(): boolean {
    return this.#file?.isStray === true;
  }

  /** Is a sync running? */
  get hasSync(): boolean {
    return this.#work !== undefined;
  }

  /** Must the file be checked in as soon as nobody uses it? */
  get needsCheckIn(): boolean {
    return this.#file?.isWorkingForm === true && this.#work === undefined;
  }

  /** Rolls back, and leaves the main file alone in its folder. Must not be called while a download reads it. */
  close(why = 'the collection was replaced or checked in'): void {
    if (this.#downloadsRunning > 0) throw new Error('A collection cannot be closed while a download reads its file');
    this.abandon('closed', why);
    this.#file?.close();
    this.#file = undefined;
  }

  [Symbol.dispose](): void {
    this.#downloadsRunning = 0;
    this.close('the server stopped');
  }

  #tellEnd(
    { sessionKey, client, beganMs, lastSeenMs }: SyncSession,
    tally: SyncTally | undefined,
    end: HowItEnded,
  ): void {
    const { ending, why, detail } = end;
    const elapsedMs = Math.max(0, lastSeenMs - beganMs);
    const { user } = this.folder;
    this.#tell({ kind: 'sync ended', user, sessionKey, client, ending, why, detail, elapsedMs, tally });
  }

  #open(): CollectionFile {
    if (this.#file !== undefined) {
      if (this.#work === undefined && this.#file.isStray) throw new PreparationNeeded('rescue');
      return this.#file;
    }
    const opened = CollectionFile.open(this.folder.collection, this.log);
    if (typeof opened === 'string') throw new PreparationNeeded(opened);
    this.#file = opened;
    return opened;
  }
}

function stampOf(summary: CollectionSummary): string {
  return `${summary.mtimeMs} ${summary.schemaMtimeMs} ${summary.usn}`;
}
