/** Have these bytes memory of their own? Shorter ones may share a pool of Node's with others. */
export function hasOwnMemory(bytes: Uint8Array): boolean {
  return bytes.byteLength > Buffer.poolSize;
}

/**
 * Frees the memory of large bytes that nobody reads any more, at once. Until the garbage collector found them, those of
 * a few messages would be tens of megabytes, and drive it to look through everything.
 */
export function giveBack(bytes: Uint8Array): void {
  if (hasOwnMemory(bytes) && bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
}
