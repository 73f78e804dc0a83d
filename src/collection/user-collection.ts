import { statSync } from 'node:fs';
import { SyncError } from '../errors.ts';
import { sessionIdleMsMax } from '../limits.ts';
import type { Log } from '../log.ts';
import type { UserFolder } from '../user-folder.ts';
import { CollectionFile, type Preparation } from './collection-file.ts';
import { type CollectionSummary, readSummary } from './collection-summary.ts';
import { loadCounts, rememberCounts } from './kept-counts.ts';
import type { CollectionFacts } from './stored-file.ts';
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
  #file: CollectionFile | undefined;
  #work: SyncWork | undefined;
  /** What others see while a sync has uncommitted changes. */
  #committed: CollectionSummary | undefined;
  #downloadsRunning = 0;
  readonly #metas = new Map<string, string>();

  constructor(folder: UserFolder, log: Log) {
    this.folder = folder;
    this.log = log;
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

  /** Notes what a client was told by `meta`, so that `start` can tell whether it still holds. */
  rememberMeta(sessionKey: string, summary: CollectionSummary): void {
    if (sessionKey === '') return;
    this.#metas.delete(sessionKey);
    this.#metas.set(sessionKey, stampOf(summary));
    const oldest = this.#metas.keys().next();
    if (this.#metas.size > rememberedMetasMax && oldest.done !== true) this.#metas.delete(oldest.value);
  }

  /** Begins a sync; one that is running ends, rolled back. */
  begin(options: Omit<SyncSession, 'serverUsn' | 'lastSeenMs' | 'pendingChunks'>, nowMs: number): SyncWork {
    this.abandon('another sync begins');
    const file = this.#open();
    const summary = readSummary(file);
    const told = this.#metas.get(options.sessionKey);
    this.#metas.delete(options.sessionKey); // A client asks again before its next sync.
    if (told !== undefined && told !== stampOf(summary)) {
      throw new SyncError('syncConflict', 'Cannot begin the sync: another device has synced since its first message');
    }
    file.beginWork();
    this.#committed = summary;
    const session: SyncSession = { ...options, serverUsn: summary.usn, lastSeenMs: nowMs, pendingChunks: undefined };
    try {
      const counts = loadCounts(this.folder.collection, file.sql);
      this.#work = new SyncWork(file, session, counts, Math.floor(nowMs / 1000));
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
    work.sql.run('UPDATE col SET mod = ?, ls = ?, usn = ?', mtimeMs, mtimeMs, work.session.serverUsn + 1);
    if (clientIsAhead(work.session)) work.sql.run('UPDATE col SET scm = ?', mtimeMs);
    file.commitWork();
    this.#work = undefined;
    this.#committed = undefined;
    rememberCounts(this.folder.collection, file.sql, work.counts);
    return mtimeMs;
  }

  /** Ends the running sync on a client's wish; see `abortEnds` for whose. */
  abort(request: AbortRequest, nowMs: number): void {
    if (this.#work === undefined) return;
    if (abortEnds(this.#work.session, request, nowMs, foreignAbortIdleMs)) this.abandon('its client aborted it');
  }

  /** Ends and undoes the running sync, if there is one. */
  abandon(reason: string): void {
    if (this.#work === undefined) return;
    this.log.info({ user: this.folder.user, session: this.#work.session.sessionKey }, `Rolled back a sync: ${reason}`);
    this.#work = undefined;
    this.#committed = undefined;
    this.#file?.rollbackWork();
  }

  /** Ends a sync whose client was not heard of for too long. */
  abandonForgotten(nowMs: number): void {
    if (this.#work === undefined || !isForgotten(this.#work.session, nowMs, sessionIdleMsMax)) return;
    this.abandon('its client was silent for too long');
  }

  /**
   * For a full download: raises usn and `mod`, and moves all commits into the main file, which then stays as it is until
   * `downloadEnded`. Returns its size in bytes, or undefined when the file cannot stand still because another download
   * still reads an older state or the form is not canonical; then `copyTo` makes a private copy.
   */
  beginDownload(sessionKey: string, nowMs: number): number | undefined {
    this.#metas.delete(sessionKey); // It knows that it has changed the collection itself.
    this.abandon('a full download begins');
    const file = this.#open();
    const mtimeMs = Math.max(nowMs, readSummary(file).mtimeMs + 1);
    const counts = loadCounts(this.folder.collection, file.sql);
    file.inTransaction(() => file.sql.run('UPDATE col SET mod = ?, usn = usn + 1', mtimeMs));
    rememberCounts(this.folder.collection, file.sql, counts);
    if (this.#downloadsRunning > 0 || file.isWorkingForm) return undefined;
    file.checkpoint();
    this.#downloadsRunning += 1;
    return file.byteLength;
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
    const file = this.#open();
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

  /** Is a sync running? */
  get hasSync(): boolean {
    return this.#work !== undefined;
  }

  /** Must the file be checked in as soon as nobody uses it? */
  get needsCheckIn(): boolean {
    return this.#file?.isWorkingForm === true && this.#work === undefined;
  }

  /** Bytes of the main file, 0 when there is none. */
  get fileBytes(): number {
    return statSync(this.folder.collection, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Rolls back, and leaves the main file alone in its folder. Must not be called while a download reads it. */
  close(): void {
    if (this.#downloadsRunning > 0) throw new Error('A collection cannot be closed while a download reads its file');
    this.abandon('the collection is being closed');
    this.#file?.close();
    this.#file = undefined;
  }

  [Symbol.dispose](): void {
    this.#downloadsRunning = 0;
    this.close();
  }

  #open(): CollectionFile {
    if (this.#file !== undefined) return this.#file;
    const opened = CollectionFile.open(this.folder.collection, this.log);
    if (typeof opened === 'string') throw new PreparationNeeded(opened);
    this.#file = opened;
    return opened;
  }
}

function stampOf(summary: CollectionSummary): string {
  return `${summary.mtimeMs} ${summary.schemaMtimeMs} ${summary.usn}`;
}
