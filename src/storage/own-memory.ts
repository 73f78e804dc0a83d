import { isMarkedAsUntransferable } from 'node:worker_threads';

/** Have these bytes memory of their own? Shorter ones may share a pool of Node's with others. */
export function hasOwnMemory(bytes: Uint8Array): boolean {
  return bytes.byteLength > Buffer.poolSize;
}

/**
 * Frees the memory of a piece of a stream that nobody needs any more, now and not when garbage is collected. V8 counts what
 * lies in buffers as garbage to come: while a file of a hundred megabytes passes through in pieces of their own, it would
 * collect two dozen times, which stops the thread for some milliseconds each time, and hold many pieces all the while.
 *
 * Streams cut several pieces from one buffer, in order; the memory goes with the last of them. The pool from which Node cuts
 * small buffers stays, as it is marked.
 */
export function giveBack(piece: Uint8Array): void {
  if (piece.byteOffset + piece.byteLength === piece.buffer.byteLength) giveBackAll(piece);
}

/** The same for bytes that are alone in their buffer, or the last ones of their stream. */
export function giveBackAll({ buffer }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.detached || isMarkedAsUntransferable(buffer)) return;
  buffer.transfer(0);
}
