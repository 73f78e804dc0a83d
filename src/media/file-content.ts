import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { codeOf } from './durable-files.ts';
import type { Sha1Hex } from './media-db.ts';
import type { Content } from './plan-upload.ts';

/** Pieces in which files are read, bytes: each costs a trip to another thread. */
const pieceBytes = 512 * 1024;

/** Hash and length of a file; undefined when there is no such file. Never holds more than a piece of it. */
export async function contentOf(file: string): Promise<Content | undefined> {
  return readPieces(file, Number.POSITIVE_INFINITY, () => {});
}

/**
 * Hands out a file piece by piece, through one buffer: the next piece takes the place of the last. Hash and length of
 * what was handed out, or undefined when there is no such file; a file that is longer than `bytesMax` counts one byte more.
 */
export async function readPieces(
  file: string,
  bytesMax: number,
  take: (piece: Buffer, at: number) => void | Promise<void>,
): Promise<Content | undefined> {
  const expected = sizeOf(file);
  if (expected === undefined) return undefined;
  await using handle = await open(file, 'r');
  const hash = createHash('sha1');
  const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, Math.max(1, expected)));
  let size = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, { position: size });
    if (bytesRead === 0) break;
    if (size + bytesRead > bytesMax) {
      size = bytesMax + 1;
      break;
    }
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await take(piece, size);
    size += bytesRead;
  }
  return { sha1: hash.digest('hex') as Sha1Hex, size };
}

/** Reads a file into a room of exactly its size. False when it has another size, or there is no such file. At once. */
export function readFileInto(file: string, room: Buffer): boolean {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size !== room.byteLength) return false;
    let filled = 0;
    while (filled < room.byteLength) {
      const bytesRead = readSync(fd, room, filled, room.byteLength - filled, filled);
      if (bytesRead === 0) return false;
      filled += bytesRead;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Length of a file, bytes; undefined when there is no such file, or a folder in its place. At once. */
export function sizeOf(file: string): number | undefined {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats?.isFile() ? stats.size : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENAMETOOLONG';
}
