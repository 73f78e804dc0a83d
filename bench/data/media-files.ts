import { createCipheriv, createHash } from 'node:crypto';
import { crc32, zstdCompressSync } from 'node:zlib';
import { writeZip } from '../../test/support/write-zip.ts';

/** Files of one upload zip, as clients send them. */
export const filesPerZip = 25;

export interface MediaFile {
  readonly name: string;
  readonly content: Buffer;
}

/**
 * Files of this size with contents that do not compress, not even several of them together, as photos and recordings do
 * not. The same seed gives the same files.
 */
export function mediaFiles(count: number, bytes: number, seed: number): MediaFile[] {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  const noise = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(bytes);
  return Array.from({ length: count }, (_, at) => ({ name: `bench-${seed}-${at}.jpg`, content: noise.update(zeros) }));
}

/** The zips of an upload, compressed as bodies. */
export function uploadBodies(files: readonly MediaFile[]): Buffer[] {
  const bodies: Buffer[] = [];
  for (let at = 0; at < files.length; at += filesPerZip) bodies.push(uploadBody(files.slice(at, at + filesPerZip)));
  return bodies;
}

function uploadBody(files: readonly MediaFile[]): Buffer {
  const meta = JSON.stringify(files.map(({ name }, at) => [name, String(at)]));
  const contents = files.map(({ content }, at) => [String(at), content] as const);
  return zstdCompressSync(writeZip([...contents, ['_meta', Buffer.from(meta)]]));
}

export function sha1Of(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex');
}

/** Bytes before the name, of a file and of its entry in the directory. */
const localBytes = 30;
const directoryBytes = 46;

/** The stored entries of a zip by name, in their order. Throws for one that is compressed or does not match its checksum. */
export function readZip(zip: Buffer): Map<string, Buffer> {
  const entries = new Map<string, Buffer>();
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const bytes = zip.readUInt32LE(at + 24);
    const nameBytes = zip.readUInt16LE(at + 28);
    const name = zip.toString('utf8', at + directoryBytes, at + directoryBytes + nameBytes);
    const local = zip.readUInt32LE(at + 42);
    const start = local + localBytes + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const content = zip.subarray(start, start + bytes);
    if (zip.readUInt16LE(at + 10) !== 0 && name !== '_meta') throw new Error(`${name} is not stored`);
    if (zip.readUInt16LE(at + 10) === 0 && crc32(content) !== zip.readUInt32LE(at + 16))
      throw new Error(`${name} is damaged`);
    entries.set(name, content);
    at += directoryBytes + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}
