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
/** Version 6.3 of the description on Unix, as the library says that made such zips for years; the mode of an ordinary file. */
const madeBy = (3 << 8) | 63;
const fileMode = 0o100644;
/** Sizes and places have 32 bits here, bytes. */
const zipBytesMax = 0xffff_ffff;

interface Place {
  readonly name: Buffer;
  readonly headAt: number;
  readonly contentAt: number;
  readonly byteLength: number;
}

/**
 * The form of a zip of entries that are not compressed, in the order given: as their lengths are known, so is the place of
 * every byte before any content has been read. The contents are put where they belong by whoever has them.
 */
export class StoredZip {
  readonly byteLength: number;
  readonly #places: readonly Place[];
  readonly #directoryAt: number;

  constructor(entries: readonly { readonly name: string; readonly byteLength: number }[]) {
    let at = 0;
    let namesBytes = 0;
    this.#places = entries.map(({ name: text, byteLength }) => {
      const name = Buffer.from(text);
      const headAt = at;
      const contentAt = headAt + localBytes + name.length;
      at = contentAt + byteLength;
      namesBytes += name.length;
      return { name, headAt, contentAt, byteLength };
    });
    this.#directoryAt = at;
    this.byteLength = at + entries.length * directoryBytes + namesBytes + endBytes;
    if (this.byteLength > zipBytesMax)
      throw new RangeError(`A zip of ${this.byteLength} bytes would need another form`);
  }

  /** Where the content of an entry begins. */
  contentAt(index: number): number {
    return this.#place(index).contentAt;
  }

  /** What stands before the content of an entry, and where. */
  head(index: number, crc32: number): { readonly bytes: Buffer; readonly at: number } {
    const { name, headAt, byteLength } = this.#place(index);
    const bytes = Buffer.alloc(localBytes + name.length);
    bytes.write('PK\x03\x04', 'latin1');
    writeCommon(bytes, 4, { name, byteLength, crc32 });
    bytes.set(name, localBytes);
    return { bytes, at: headAt };
  }

  /** What stands behind all contents, and where; one checksum for each entry. */
  directory(crc32s: readonly number[]): { readonly bytes: Buffer; readonly at: number } {
    const bytes = Buffer.alloc(this.byteLength - this.#directoryAt);
    let at = 0;
    for (const [index, { name, headAt, byteLength }] of this.#places.entries()) {
      bytes.write('PK\x01\x02', at, 'latin1');
      bytes.writeUInt16LE(madeBy, at + 4);
      writeCommon(bytes, at + 6, { name, byteLength, crc32: crc32s[index] ?? 0 });
      bytes.writeUInt16LE(fileMode, at + 40);
      bytes.writeUInt32LE(headAt, at + 42);
      bytes.set(name, at + directoryBytes);
      at += directoryBytes + name.length;
    }
    bytes.write('PK\x05\x06', at, 'latin1');
    bytes.writeUInt16LE(this.#places.length, at + 8);
    bytes.writeUInt16LE(this.#places.length, at + 10);
    bytes.writeUInt32LE(at, at + 12);
    bytes.writeUInt32LE(this.#directoryAt, at + 16);
    return { bytes, at: this.#directoryAt };
  }

  #place(index: number): Place {
    const place = this.#places[index];
    if (place === undefined) throw new RangeError(`The zip has no entry ${index}`);
    return place;
  }
}

function writeCommon(
  bytes: Buffer,
  at: number,
  { name, byteLength, crc32 }: Pick<Place, 'name' | 'byteLength'> & { readonly crc32: number },
): void {
  bytes.writeUInt16LE(version, at);
  bytes.writeUInt16LE(namesAreUtf8, at + 2);
  bytes.writeUInt16LE(firstDay, at + 8);
  bytes.writeUInt32LE(crc32, at + 10);
  bytes.writeUInt32LE(byteLength, at + 14);
  bytes.writeUInt32LE(byteLength, at + 18);
  bytes.writeUInt16LE(name.length, at + 22);
}
