import { closeSync, openSync, readSync } from 'node:fs';

/** How every database begins. */
export const sqliteMagic = 'SQLite format 3\0';
/** What stands before the content of the first page. */
export const sqliteHeaderBytes = 100;

/**
 * The pages of an SQLite database, read without SQLite. Of its header, numbers big-endian:
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 16 | 2 | bytes of a page; 1 for 65536 |
 * | 20 | 1 | bytes at the end of each page that are not used |
 * | 24 | 4 | counts the changes of the file |
 * | 28 | 4 | number of pages, |
 * | 92 | 4 | as it was after so many changes |
 * | 52 | 4 | not 0: some pages tell where others are |
 * | 56 | 4 | encoding of texts; 1 for UTF-8 |
 */
export class SqlitePages implements Disposable {
  /** Bytes of a page that hold something. */
  readonly usableBytes: number;
  readonly #fd: number;
  readonly #pageBytes: number;
  readonly #pageCount: number;
  readonly #taken = new Set<number>();

  /** Throws `DoubtfulPageError` for a file of a kind that needs SQLite to be read. */
  constructor(file: string) {
    this.#fd = openSync(file, 'r');
    const header = Buffer.alloc(sqliteHeaderBytes);
    const got = readSync(this.#fd, header, 0, sqliteHeaderBytes, 0);
    const isPlain =
      got === sqliteHeaderBytes &&
      header.toString('latin1', 0, sqliteMagic.length) === sqliteMagic &&
      header.readUInt32BE(24) === header.readUInt32BE(92) &&
      header.readUInt32BE(52) === 0 &&
      header.readUInt32BE(56) === utf8;
    const told = header.readUInt16BE(16);
    this.#pageBytes = told === 1 ? 65_536 : told;
    this.usableBytes = this.#pageBytes - header.readUInt8(20);
    this.#pageCount = header.readUInt32BE(28);
    if (isPlain && this.usableBytes >= usableBytesMin) return;
    closeSync(this.#fd);
    throw new DoubtfulPageError('the header of the file');
  }

  /** A page that belongs to one place only: the second to ask for it is told so by a `DoubtfulPageError`. */
  take(page: number): Buffer {
    // The first one has a header before its content, and the list of tables in it.
    if (page < 2 || page > this.#pageCount) throw new DoubtfulPageError(`page ${page} is not in the file`);
    if (this.#taken.has(page)) throw new DoubtfulPageError(`page ${page} is used twice`);
    this.#taken.add(page);
    const bytes = Buffer.allocUnsafe(this.#pageBytes);
    const got = readSync(this.#fd, bytes, 0, bytes.length, (page - 1) * this.#pageBytes);
    if (got < bytes.length) throw new DoubtfulPageError(`page ${page} is cut off`);
    return bytes.subarray(0, this.usableBytes);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Something in a file is not plainly as SQLite writes it. Whether it is damage is for SQLite to tell. */
export class DoubtfulPageError extends Error {
  override name = 'DoubtfulPageError';
}

const usableBytesMin = 480;
const utf8 = 1;
