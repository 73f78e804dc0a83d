import type { ExactInteger } from '../storage/exact-rows.ts';
import type { SentChunks } from './chunk-size.ts';

/** id (ms), cid, usn, ease, ivl, lastIvl, factor, time (ms), type: the columns of `revlog`, in order. */
export type RevlogRow = readonly [
  id: ExactInteger,
  cardId: ExactInteger,
  usn: number,
  ease: number,
  interval: number,
  lastInterval: number,
  factor: number,
  tookMs: number,
  type: number,
];

/** The 18 columns of `cards`, in order. */
export type CardRow = readonly [
  id: ExactInteger,
  noteId: ExactInteger,
  deckId: ExactInteger,
  ord: number,
  mtimeSecs: ExactInteger,
  usn: number,
  type: number,
  queue: number,
  due: number,
  interval: number,
  factor: number,
  reps: number,
  lapses: number,
  left: number,
  originalDue: number,
  originalDeckId: ExactInteger,
  flags: number,
  data: string,
];

/** A note as it crosses the wire: sort field and checksum are computed by whoever receives it. */
export interface NoteContent {
  readonly id: ExactInteger;
  readonly guid: string;
  readonly notetypeId: ExactInteger;
  readonly mtimeSecs: ExactInteger;
  readonly usn: number;
  /** Separated by blanks, as written by the client. */
  readonly tags: string;
  /** Separated by U+001F. */
  readonly fields: string;
}

/** Ids of what the client has still to be sent, the next ones last. Millions of them take eight bytes each. */
export interface PendingIds {
  readonly revlog: ExactInteger[];
  readonly notes: ExactInteger[];
  readonly cards: ExactInteger[];
}

/** What the client of a sync was sent and has still to be sent. */
export interface PendingChunks {
  readonly ids: PendingIds;
  sent: SentChunks;
}
