import { sessionIdleMsMax } from '../limits.ts';
import { type MovedMedia, nothingMoved } from '../protocol/report.ts';
import type { RequestOver } from './request-over.ts';
import type { SyncOutcome } from './sync-outcome.ts';

/** So many media syncs are followed at a time; with one more the oldest counts as silent. */
const openMax = 1000;
const sweepMs = 30_000;

interface OpenMediaSync {
  readonly user: string;
  readonly sessionKey: string;
  readonly client: string;
  readonly beganMs: number;
  lastMs: number;
  moved: MovedMedia;
}

/** How a media sync ended that did not come to its end: why, in words of this program, and what is known beyond. */
export type MediaEnd = Pick<SyncOutcome, 'result' | 'why' | 'detail'>;

/**
 * Adds the messages of media syncs up. They share a session key with clients of sync version 11, and come one after
 * another with older ones. A sync begins with the first message that lists or moves files, and ends with `mediaSanity`,
 * with a message that fails, or with silence.
 */
export class MediaSyncs {
  readonly #open = new Map<string, OpenMediaSync>();
  readonly #tell: (outcome: SyncOutcome) => void;
  readonly #nowMs: () => number;
  /** By user, what an older client called itself in `begin`: its other messages do not say. */
  readonly #names = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (outcome: SyncOutcome) => void, nowMs: () => number = () => performance.now()) {
    this.#tell = tell;
    this.#nowMs = nowMs;
  }

  /** A `begin` was answered. */
  begun({ sessionKey, client }: RequestOver, user: string): void {
    if (sessionKey !== '' || client === '') return;
    this.#names.delete(user);
    this.#names.set(user, client);
    const oldest = this.#names.keys().next();
    if (this.#names.size > openMax && oldest.done !== true) this.#names.delete(oldest.value);
  }

  /** A message of a known user was answered. */
  add(over: RequestOver, user: string, moved: MovedMedia): void {
    const sync = this.#of(over, user);
    sync.lastMs = this.#nowMs();
    sync.moved = sumOf(sync.moved, moved);
    if (moved.isOver === undefined) return;
    const end: MediaEnd =
      moved.isOver === 'equal'
        ? { result: 'done' }
        : {
            result: 'inconsistent',
            why: 'device and server count different numbers of files; its next media sync compares them all',
          };
    this.#close(keyOf(over, user), sync, end);
  }

  /** A message failed, after which clients give up. */
  fail(over: RequestOver, user: string, end: MediaEnd): void {
    const sync = this.#of(over, user);
    sync.lastMs = this.#nowMs();
    this.#close(keyOf(over, user), sync, end);
  }

  /** Ends all that have been silent for too long. */
  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [key, sync] of this.#open) if (nowMs - sync.lastMs > sessionIdleMsMax) this.#giveUp(key, sync);
    if (this.#open.size > 0) this.#sweepLater();
  }

  /** Tells of all that are open, because the server stops. */
  close(): void {
    clearTimeout(this.#timer);
    for (const [key, sync] of this.#open) this.#close(key, sync, { result: 'closed', why: 'the server stopped' });
  }

  #of(over: RequestOver, user: string): OpenMediaSync {
    const key = keyOf(over, user);
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const beganMs = this.#nowMs() - over.elapsedMs;
    const { sessionKey } = over;
    const client = over.client || (this.#names.get(user) ?? '');
    const sync = { user, sessionKey, client, beganMs, lastMs: beganMs, moved: nothingMoved };
    this.#open.set(key, sync);
    const oldest = this.#open.entries().next();
    if (this.#open.size > openMax && oldest.done !== true) this.#giveUp(...oldest.value);
    if (this.#timer === undefined) this.#sweepLater();
    return sync;
  }

  #sweepLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.sweep();
    }, sweepMs).unref();
  }

  #giveUp(key: string, sync: OpenMediaSync): void {
    this.#close(key, sync, { result: 'silent', why: 'nothing was heard of the device any more' });
  }

  #close(key: string, { user, sessionKey, client, beganMs, lastMs, moved }: OpenMediaSync, end: MediaEnd): void {
    this.#open.delete(key);
    this.#tell({ kind: 'media', user, sessionKey, client, elapsedMs: lastMs - beganMs, media: moved, ...end });
  }
}

/** Two texts, of which one is from outside: JSON leaves no doubt where the first one ends. */
function keyOf({ sessionKey }: RequestOver, user: string): string {
  return JSON.stringify([user, sessionKey]);
}

function sumOf(a: MovedMedia, b: MovedMedia): MovedMedia {
  return {
    filesSent: a.filesSent + b.filesSent,
    bytesSent: a.bytesSent + b.bytesSent,
    filesDeleted: a.filesDeleted + b.filesDeleted,
    filesGot: a.filesGot + b.filesGot,
    bytesGot: a.bytesGot + b.bytesGot,
  };
}
