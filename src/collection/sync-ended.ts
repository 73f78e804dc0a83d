import type { UserFolder } from '../user-folder.ts';

/** Objects of each kind, in the order in which they are told to people. */
export interface ObjectTally {
  reviews: number;
  cards: number;
  notes: number;
  decks: number;
  notetypes: number;
  /** Groups of deck options, which Anki calls presets today. */
  presets: number;
  tags: number;
  /** Deleted notes, cards and decks. */
  deletions: number;
}

/** What a sync has moved so far. */
export interface SyncTally {
  /** Objects of the client that were stored; those that lost against newer ones do not count. */
  readonly sent: ObjectTally;
  /** Objects that the client was given. */
  readonly got: ObjectTally;
}

/**
 * How a sync ended. Only `done` committed anything. `conflict`: another device came in between. `aborted`: the client
 * gave it up. `silent`: the client was not heard of any more. `inconsistent`: the counts of both sides differed.
 * `refused`: what the client sent does not fit. `failed`: a fault of this server. `closed`: the collection was needed for
 * something else.
 */
export const SYNC_ENDINGS = [
  'done',
  'conflict',
  'aborted',
  'silent',
  'inconsistent',
  'refused',
  'failed',
  'closed',
] as const;
export type SyncEnding = (typeof SYNC_ENDINGS)[number];

/** The end of a sync between `start` and `finish`, for log and metrics. */
export interface SyncEnded {
  readonly kind: 'sync ended';
  readonly user: UserFolder['user'];
  readonly sessionKey: string;
  /** As the client named itself; from outside, so not to be printed as it is. */
  readonly client: string;
  readonly ending: SyncEnding;
  /** Why it ended otherwise than `done`, in words of this program. */
  readonly why: string | undefined;
  /** All that the failing message had to say; may quote what came from outside. */
  readonly detail: string | undefined;
  /** From the client's first message to the end, milliseconds. */
  readonly elapsedMs: number;
  /** Undefined when it was over before it had begun. */
  readonly tally: SyncTally | undefined;
}

export function noObjects(): ObjectTally {
  return { reviews: 0, cards: 0, notes: 0, decks: 0, notetypes: 0, presets: 0, tags: 0, deletions: 0 };
}

export function emptyTally(): SyncTally {
  return { sent: noObjects(), got: noObjects() };
}

/** Adds some kinds of objects to what was counted before. */
export function countObjectsIn(tally: ObjectTally, more: Partial<ObjectTally>): void {
  for (const [kind, count] of Object.entries(more)) tally[kind as keyof ObjectTally] += count;
}
