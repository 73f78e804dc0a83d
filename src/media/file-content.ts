import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { codeOf } from './durable-files.ts';
import type { Sha1Hex } from './media-db.ts';
import type { Content } from './plan-upload.ts';

/** Hash and length of a file; undefined when there is no such file. Never holds more than a piece of it. */
export async function contentOf(file: string): Promise<Content | undefined> {
  const size = await sizeOf(file);
  if (size === undefined) return undefined;
  const hash = createHash('sha1');
  await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), hash);
  return { sha1: hash.digest('hex') as Sha1Hex, size };
}

/** Length of a file, bytes; undefined when there is no such file, or a folder in its place. */
export async function sizeOf(file: string): Promise<number | undefined> {
  try {
    const stats = await stat(file);
    return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}
