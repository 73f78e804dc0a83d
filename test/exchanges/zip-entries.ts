import { inflateRawSync } from 'node:zlib';
import { type Json, parseLossless } from './lossless-json.ts';

/** An entry of a zip: its content, as JSON for `_meta` and as text of one character a byte for the rest. */
export type ZipEntry = readonly [name: string, content: Json];

/**
 * Reads a small zip by its central directory, in the order of the directory.
 *
 * | offset | directory entry (`PK\x01\x02`)      | local header (`PK\x03\x04`) |
 * |--------|-------------------------------------|-----------------------------|
 * | 10     | method: 0 stored, 8 deflated        |                             |
 * | 20     | compressed size                     |                             |
 * | 28     | name, extra and comment length (26) | name and extra length       |
 * | 42     | offset of the local header          |                             |
 * | 46     | name (30 in the local header)       |                             |
 */
export function zipEntries(bytes: Uint8Array): readonly ZipEntry[] {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = zip.lastIndexOf('PK\x05\x06', zip.length, 'latin1');
  if (end < 0) throw new Error('no zip: the end record is missing');
  const entries: ZipEntry[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let index = 0; index < zip.readUInt16LE(end + 10); index++) {
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
    const content = zip.readUInt16LE(at + 10) === 8 ? inflateRawSync(packed) : packed;
    entries.push([name, name === '_meta' ? parseLossless(content.toString('utf8')) : content.toString('latin1')]);
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}
