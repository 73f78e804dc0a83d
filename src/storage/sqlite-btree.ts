import { MiB } from '../limits.ts';
import { DoubtfulPageError, type SqlitePages } from './sqlite-pages.ts';
import { readRowId, readVarint } from './sqlite-records.ts';

/** An entry of a b-tree. */
export interface BtreeEntry {
  /** Of a table with row ids. */
  readonly rowId?: bigint;
  readonly record: Buffer;
}

/** A table with row ids holds records at its leaves; an index, or a table without row ids, in all of its pages. */
export type BtreeKind = 'rows' | 'keys';

/**
 * All entries of a b-tree in the order in which they stand. Checks on the way what makes a b-tree one: that each page is
 * there and belongs to nothing else, that its cells fill it without a gap that is not told of, that all leaves are equally
 * deep, and that row ids ascend, within the bounds that the pages above set. The order of keys is for the caller to check,
 * who knows the collation. Throws `DoubtfulPageError`.
 *
 * | offset | bytes | of a page |
 * |---|---|---|
 * | 0 | 1 | type: 2 and 5 have pages below (keys, rows), 10 and 13 are leaves |
 * | 1 | 2 | first free block in the area of cells; each begins with the place of the next and its own length |
 * | 3 | 2 | number of cells |
 * | 5 | 2 | where the area of cells begins; 0 for 65536 |
 * | 7 | 1 | unused bytes in it that are in no free block |
 * | 8 | 4 | the last page below, where there are any |
 *
 * The places of the cells follow, two bytes each. A cell is: the page below (4 bytes, where there are any); the length of
 * the record (but for type 5); the row id (for rows); the record; the page on which it goes on, if it is too long.
 */
export function* entriesOf(pages: SqlitePages, root: number, kind: BtreeKind): Generator<BtreeEntry> {
  yield* new Btree(pages, kind).entriesBelow(root, 0);
}

const TYPES = { rows: { inner: 5, leaf: 13 }, keys: { inner: 2, leaf: 10 } } as const;
/** Far deeper than any tree that small objects make. */
const depthMax = 12;
/** One record is in memory at a time, whatever a file claims. */
const recordBytesMax = 16 * MiB;
const cellBytesMin = 4;
const freeBlockBytesMin = 4;

interface Cell {
  readonly child: number;
  readonly entry: BtreeEntry | undefined;
  /** Of a cell that only bounds the row ids below it. */
  readonly bound: bigint | undefined;
}

class Btree {
  readonly #pages: SqlitePages;
  readonly #kind: BtreeKind;
  #leafDepth: number | undefined;
  #lastRowId: bigint | undefined;

  constructor(pages: SqlitePages, kind: BtreeKind) {
    this.#pages = pages;
    this.#kind = kind;
  }

  *entriesBelow(pageNumber: number, depth: number): Generator<BtreeEntry> {
    if (depth > depthMax) throw new DoubtfulPageError('a tree is too deep');
    const page = this.#pages.take(pageNumber);
    const { inner, leaf } = TYPES[this.#kind];
    const type = page.readUInt8(0);
    if (type !== inner && type !== leaf) throw new DoubtfulPageError(`page ${pageNumber} is of type ${type}`);
    const isLeaf = type === leaf;
    if (isLeaf) this.#checkDepth(depth);
    const cells = this.#cells(page, isLeaf);
    if (cells.length === 0 && depth > 0) throw new DoubtfulPageError(`page ${pageNumber} is empty`);
    for (const { child, entry, bound } of cells) {
      if (!isLeaf) yield* this.entriesBelow(child, depth + 1);
      if (bound !== undefined) this.#checkBound(bound);
      if (entry === undefined) continue;
      if (entry.rowId !== undefined) this.#checkRowId(entry.rowId);
      yield entry;
    }
    if (!isLeaf) yield* this.entriesBelow(page.readUInt32BE(8), depth + 1);
  }

  #checkDepth(depth: number): void {
    this.#leafDepth ??= depth;
    if (this.#leafDepth !== depth) throw new DoubtfulPageError('leaves are not equally deep');
  }

  #checkRowId(rowId: bigint): void {
    if (this.#lastRowId !== undefined && rowId <= this.#lastRowId) throw new DoubtfulPageError('row ids do not ascend');
    this.#lastRowId = rowId;
  }

  #checkBound(bound: bigint): void {
    if (this.#lastRowId !== undefined && bound < this.#lastRowId) throw new DoubtfulPageError('row ids do not ascend');
    this.#lastRowId = bound;
  }

  /** The cells of a page in order; they and the free blocks must fill their area. */
  #cells(page: Buffer, isLeaf: boolean): Cell[] {
    const places = isLeaf ? 8 : 12;
    const count = page.readUInt16BE(3);
    const areaBegin = page.readUInt16BE(5) || 65_536;
    if (places + 2 * count > areaBegin || areaBegin > page.length) throw new DoubtfulPageError('cells overlap');
    const used = freeBlocks(page, areaBegin);
    const cells: Cell[] = [];
    for (let at = places; at < places + 2 * count; at += 2) {
      const begin = page.readUInt16BE(at);
      if (begin < areaBegin || begin > page.length - cellBytesMin)
        throw new DoubtfulPageError('a cell is out of place');
      const { end, ...cell } = this.#cell(page, begin, isLeaf);
      used.push({ begin, end: Math.max(end, begin + cellBytesMin) });
      cells.push(cell);
    }
    checkFilled(used, { begin: areaBegin, end: page.length, unusedBytes: page.readUInt8(7) });
    return cells;
  }

  #cell(page: Buffer, begin: number, isLeaf: boolean): Cell & { readonly end: number } {
    const child = isLeaf ? 0 : page.readUInt32BE(begin);
    let at = isLeaf ? begin : begin + 4;
    if (this.#kind === 'rows' && !isLeaf) {
      const { value: bound, end } = readRowId(page, at);
      return { child, entry: undefined, bound, end };
    }
    const length = readVarint(page, at);
    at = length.end;
    let rowId: bigint | undefined;
    if (this.#kind === 'rows') ({ value: rowId, end: at } = readRowId(page, at));
    const { record, end } = this.#record(page, at, length.value);
    return { child, entry: rowId === undefined ? { record } : { rowId, record }, bound: undefined, end };
  }

  /** A record of so many bytes, of which the first are in the page, and the rest perhaps in others. */
  #record(page: Buffer, begin: number, byteLength: number): { record: Buffer; end: number } {
    if (byteLength > recordBytesMax) throw new DoubtfulPageError(`a record of ${byteLength} bytes`);
    const usable = this.#pages.usableBytes;
    const share = (parts: number) => Math.floor(((usable - 12) * parts) / 255) - 23;
    const localMax = this.#kind === 'rows' ? usable - 35 : share(64);
    if (byteLength <= localMax) return { record: piece(page, begin, byteLength), end: begin + byteLength };
    const localMin = share(32);
    const wished = localMin + ((byteLength - localMin) % (usable - 4));
    const local = wished <= localMax ? wished : localMin;
    const parts = [piece(page, begin, local)];
    let next = piece(page, begin + local, 4).readUInt32BE();
    for (let leftBytes = byteLength - local; leftBytes > 0; leftBytes -= usable - 4) {
      const overflow = this.#pages.take(next);
      next = overflow.readUInt32BE();
      parts.push(overflow.subarray(4, 4 + leftBytes));
    }
    if (next !== 0) throw new DoubtfulPageError('a record goes on behind its end');
    return { record: Buffer.concat(parts), end: begin + local + 4 };
  }
}

interface Extent {
  readonly begin: number;
  readonly end: number;
}

function piece(page: Buffer, begin: number, byteLength: number): Buffer {
  if (begin + byteLength > page.length) throw new DoubtfulPageError('a cell is longer than its page');
  return page.subarray(begin, begin + byteLength);
}

/** The list goes upwards, with room for another block between any two, so it has an end. */
function freeBlocks(page: Buffer, areaBegin: number): Extent[] {
  const blocks: Extent[] = [];
  let beginMin = areaBegin;
  for (let begin = page.readUInt16BE(1); begin !== 0; begin = page.readUInt16BE(begin)) {
    if (begin < beginMin || begin > page.length - freeBlockBytesMin) {
      throw new DoubtfulPageError('a free block is out of place');
    }
    const end = begin + page.readUInt16BE(begin + 2);
    if (end < begin + freeBlockBytesMin) throw new DoubtfulPageError('a free block is too short');
    blocks.push({ begin, end });
    beginMin = end + freeBlockBytesMin;
  }
  return blocks;
}

function checkFilled(used: Extent[], area: Extent & { readonly unusedBytes: number }): void {
  let gaps = 0;
  let at = area.begin;
  for (const { begin, end } of used.sort((a, b) => a.begin - b.begin)) {
    if (begin < at) throw new DoubtfulPageError('cells overlap');
    gaps += begin - at;
    at = end;
  }
  if (at > area.end || gaps + area.end - at !== area.unusedBytes)
    throw new DoubtfulPageError('cells do not fill a page');
}
