import { chunkPortionBytes, chunkPortionsMax } from '../limits.ts';

/** How many chunks of a sync have the size that every client was written for, before they grow. */
const firstChunks = 4;
/** A client that asks for the next chunk within this time has a fast line and merges quickly, milliseconds. */
const quickMs = 5_000;

/** The chunks that a client was sent so far. */
export interface SentChunks {
  readonly count: number;
  /** How many portions the last one was allowed. */
  readonly portions: number;
  /** When it was asked for, epoch milliseconds. */
  readonly askedMs: number;
}

/**
 * How many portions the next chunk may have, each of `chunkObjectsMax` objects. Nearly all syncs end within the first
 * chunks, which are one portion; after them a chunk is twice as large as the one before, up to a bound, as long as the
 * client is quick, and half as large when it is not. So no client waits for a chunk much longer than it just did.
 */
export function portionsOfNext(sent: SentChunks, nowMs: number): number {
  if (sent.count < firstChunks) return 1;
  const wanted = nowMs - sent.askedMs < quickMs ? sent.portions * 2 : Math.floor(sent.portions / 2);
  return Math.min(Math.max(wanted, 1), chunkPortionsMax);
}

/** Has a chunk of so many portions room for another one? Long notes count by their bytes. */
export function hasRoom(portions: number, held: { readonly portions: number; readonly bytes: number }): boolean {
  return held.portions < portions && held.bytes < portions * chunkPortionBytes;
}
