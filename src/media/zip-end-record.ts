/** Where the directory of a zip lies. */
export interface ZipDirectory {
  readonly entryCount: number;
  /** Offset of the first entry of the central directory; content lies before it. */
  readonly start: number;
}

const endRecordBytes = 22;
const zip64LocatorBytes = 20;
/** Desktop 2.1.28 to 2.1.49 leave the name of their zip library as a comment, six bytes. */
const commentBytesMax = 256;
const signature = Buffer.from('PK\x05\x06', 'latin1');
/** As many bytes of the end of a file as `readZipDirectory` looks at. */
export const zipTailBytes = zip64LocatorBytes + endRecordBytes + commentBytesMax;

/**
 * Reads the end record of a zip. The last record in the file counts, a short comment may follow it, and the directory
 * must end where it starts: then there is only one way to read the file, and nothing can hide before or behind it.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 4 | signature `PK\5\6` |
 * | 4, 6 | 2, 2 | number of this volume, of the one with the directory |
 * | 8, 10 | 2, 2 | entries in this volume, in all |
 * | 12, 16 | 4, 4 | length of the directory, its offset |
 * | 20 | 2 | length of the comment that follows |
 *
 * A text instead of a directory is the reason why the file is refused. `tail` is the end of the file.
 */
export function readZipDirectory(tail: Buffer, fileBytes: number): ZipDirectory | string {
  const at = tail.lastIndexOf(signature);
  if (at < 0 || at + endRecordBytes > tail.length) return 'it does not end like a zip';
  const commentBytes = tail.length - endRecordBytes - at;
  const volumes = tail.readUInt32LE(at + 4);
  const entryCount = tail.readUInt16LE(at + 10);
  const length = tail.readUInt32LE(at + 12);
  const start = tail.readUInt32LE(at + 16);
  if (tail.readUInt16LE(at + 20) !== commentBytes) return 'it does not end like a zip';
  if (volumes !== 0 || tail.readUInt16LE(at + 8) !== entryCount) return 'it has several volumes';
  const locator = at - zip64LocatorBytes;
  const isZip64 = locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50;
  if (isZip64 || entryCount === 0xffff || start === 0xffffffff) return 'it is a zip64';
  if (start + length !== fileBytes - commentBytes - endRecordBytes) return 'its directory is not where it says';
  return { entryCount, start };
}
