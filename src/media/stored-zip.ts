import { crc32 } from 'node:zlib';

/**
 * Everything before the name of an entry, in front of its content and again in the directory.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 4 | signature |
 * | | 2 | directory only: version and system that made it |
 * | 4 | 2 | version to read it: 2.0 |
 * | 6 | 2 | flags: names are UTF-8 |
 * | 8 | 2 | method: stored |
 * | 10 | 4 | time and date: the beginning of 1980, so that equal requests have equal answers |
 * | 14 | 12 | checksum, two sizes |
 * | 26 | 4 | length of the name, no extra field |
 * | | 14 | directory only: no comment, first volume, no attributes, place of the entry |
 */
const localBytes = 30;
const directoryBytes = 46;
const endBytes = 22;
const version = 20;
const namesAreUtf8 = 0x0800;
const firstDay = 0x0021;
/** Unix, and the mode of an ordinary file. */
const madeBy = (3 << 8) | version;
const fileMode = 0o100644;

/** A zip in memory, of entries that are not compressed, in the order given. For a few MiB: sizes and places have 32 bits. */
export function storedZip(entries: readonly (readonly [name: string, content: Uint8Array])[]): Buffer<ArrayBuffer> {
  const named = entries.map(([name, content]) => ({ name: Buffer.from(name), content }));
  const headers = named.reduce((sum, { name }) => sum + localBytes + directoryBytes + 2 * name.length, 0);
  const contents = named.reduce((sum, { content }) => sum + content.byteLength, 0);
  const zip = Buffer.alloc(headers + contents + endBytes);
  let at = 0;
  const places = named.map(({ name, content }) => {
    const place = at;
    zip.write('PK\x03\x04', place, 'latin1');
    writeCommon(zip, place + 4, name, content);
    zip.set(name, place + localBytes);
    zip.set(content, place + localBytes + name.length);
    at += localBytes + name.length + content.byteLength;
    return place;
  });
  const directoryAt = at;
  for (const [index, { name }] of named.entries()) {
    const place = places[index] ?? 0;
    zip.write('PK\x01\x02', at, 'latin1');
    zip.writeUInt16LE(madeBy, at + 4);
    zip.copy(zip, at + 6, place + 4, place + localBytes);
    zip.writeUInt16LE(fileMode, at + 40);
    zip.writeUInt32LE(place, at + 42);
    zip.set(name, at + directoryBytes);
    at += directoryBytes + name.length;
  }
  zip.write('PK\x05\x06', at, 'latin1');
  zip.writeUInt16LE(named.length, at + 8);
  zip.writeUInt16LE(named.length, at + 10);
  zip.writeUInt32LE(at - directoryAt, at + 12);
  zip.writeUInt32LE(directoryAt, at + 16);
  return zip;
}

function writeCommon(zip: Buffer, at: number, name: Uint8Array, content: Uint8Array): void {
  zip.writeUInt16LE(version, at);
  zip.writeUInt16LE(namesAreUtf8, at + 2);
  zip.writeUInt16LE(firstDay, at + 8);
  zip.writeUInt32LE(crc32(content), at + 10);
  zip.writeUInt32LE(content.byteLength, at + 14);
  zip.writeUInt32LE(content.byteLength, at + 18);
  zip.writeUInt16LE(name.byteLength, at + 22);
}
