import type { PendingChunks } from './rows.ts';

/** One sync attempt between `start` and `finish`, with an open transaction behind it. */
export interface SyncSession {
  readonly sessionKey: string;
  /** Release and system of the client as its requests name them; empty for legacy ones. */
  readonly clientVersion: string;
  /** The same as said in `meta`, which legacy clients do as well. */
  readonly client: string;
  /** `col.usn` when the sync began; what the client sends bears it already. */
  readonly serverUsn: number;
  /** What the client had seen: objects with this usn or a higher one are news to it. */
  readonly clientUsn: number;
  /** The client's collection changed last: its config wins. */
  readonly clientIsNewer: boolean;
  /** Time of its `meta`, or of `start` when that is not known, epoch milliseconds. */
  readonly beganMs: number;
  lastSeenMs: number;
  /** What is still to be sent; gathered by the first `chunk`. */
  pendingChunks: PendingChunks | undefined;
}

export type Claim =
  | { readonly kind: 'resume'; readonly session: SyncSession }
  | { readonly kind: 'refuse'; readonly reason: 'no sync is active' | 'another sync is active' };

/** May a message with this key go on with the user's sync? */
export function claimSession(active: SyncSession | undefined, sessionKey: string): Claim {
  if (active === undefined) return { kind: 'refuse', reason: 'no sync is active' };
  if (active.sessionKey !== sessionKey) return { kind: 'refuse', reason: 'another sync is active' };
  return { kind: 'resume', session: active };
}

/** Who asks for an abort. */
export type AbortRequest = Pick<SyncSession, 'sessionKey' | 'clientVersion'>;

/**
 * Does an `abort` end the active sync? A client whose user cancels aborts with a fresh session key, so a foreign key
 * counts too when it comes from the same release and system, or once the sync is silent for a while. A late abort of
 * one device must not end the sync of another.
 */
export function abortEnds(active: SyncSession, request: AbortRequest, nowMs: number, foreignIdleMs: number): boolean {
  if (active.sessionKey === request.sessionKey || active.clientVersion === request.clientVersion) return true;
  return nowMs - active.lastSeenMs >= foreignIdleMs;
}

/** Has the sync been silent for so long that its client is gone? */
export function isForgotten(active: SyncSession, nowMs: number, idleMsMax: number): boolean {
  return nowMs - active.lastSeenMs > idleMsMax;
}

/**
 * Has the client seen more than the collection holds? Then an older copy was put in its place, and merging cannot tell
 * what is missing: the next sync has to be a full one.
 */
export function clientIsAhead(session: Pick<SyncSession, 'clientUsn' | 'serverUsn'>): boolean {
  return session.clientUsn > session.serverUsn;
}
