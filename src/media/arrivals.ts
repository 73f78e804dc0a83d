import { createHash } from 'node:crypto';
import { closeSync, fdatasync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { messageOf } from '../errors.ts';
import { KiB, zipInMemoryBytesMax } from '../limits.ts';
import type { Log } from '../log.ts';
import type { UserFolder } from '../user-folder.ts';
import { allEnded, codeOf, syncFile, syncFolder, writeAll } from './durable-files.ts';
import { isFileName, type MediaName } from './media-name.ts';
import { arrivalsFile } from './media-trash.ts';
import type { Content } from './plan-upload.ts';

const fdatasyncInPool = promisify(fdatasync);

/** A file that came, with its bytes. */
export type ArrivedFile = Content & { readonly name: MediaName; readonly bytes: Uint8Array };

/**
 * The file is a ring: each batch is written behind the one before, at the next multiple of 4 KiB, or from the beginning
 * again once there is room. It looks like this:
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 4 | `ARRV` |
 * | 4 | 4 | length of the list, little-endian |
 * | 8 | 20 | SHA-1 of the list |
 * | 28 | | the list, JSON: name, SHA-1 and size of each file |
 * | | | the contents, one behind the other |
 */
const signature = Buffer.from('ARRV', 'latin1');
const headBytes = 28;
/** The list of a batch, bytes: names of 255 bytes in JSON take six times as much at most. */
const listBytesMax = 64 * KiB;
const stepBytes = 4 * KiB;
/** Length of the ring, bytes: room for dozens of usual batches, and for several of the largest. */
const ringBytes = 8 * zipInMemoryBytesMax;
/** When nothing came for so long all files are brought to the disk, milliseconds. */
const settleAfterMs = 2_000;

/** Where a batch lies in the ring: from `start` to before `end`. */
export interface ArrivalPlace {
  readonly start: number;
  readonly end: number;
}

interface Waiting extends ArrivalPlace {
  readonly files: readonly string[];
}

/**
 * New media files reach the disk in two steps. First the bytes of the whole batch, in one piece that is synced once:
 * after that the files get their names, the index commits and the client has its answer. Behind the answer
 * each file is synced where it is, and the place of the batch is free again. A process that is killed leaves all files
 * in place; only after a power cut they are taken from here. So nothing waits for the dozens of syncs that a batch of
 * small files takes, and yet an answer promises no less.
 *
 * Only files whose names were free come this way. Whoever replaces or removes files calls `settle` before.
 */
export class Arrivals {
  readonly #folder: UserFolder;
  readonly #log: Log;
  #fd: number | undefined;
  /** The batches whose files are not all on the disk yet, oldest first. */
  readonly #waiting: Waiting[] = [];
  /** The next batch begins here, unless it has to begin at the beginning. */
  #next = 0;
  #isInUse = false;
  #settling: Promise<void> = Promise.resolve();
  #isSettling = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: UserFolder, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Makes the bytes of a batch durable. Its place is then given to `stored` or `dropped`, before the next batch. */
  async record(files: readonly ArrivedFile[]): Promise<ArrivalPlace> {
    clearTimeout(this.#timer);
    this.#isInUse = true;
    try {
      const parts = [headOf(files), ...files.map(({ bytes }) => bytes)];
      const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
      const place = await this.#makeRoom(Math.ceil(byteLength / stepBytes) * stepBytes);
      const fd = await this.#opened();
      writeAll(fd, parts, place.start);
      await fdatasyncInPool(fd);
      return place;
    } catch (error) {
      this.#isInUse = false;
      throw error;
    }
  }

  /** The files of a batch are written under their names, by path. */
  stored({ start, end }: ArrivalPlace, files: readonly string[]): void {
    this.#isInUse = false;
    this.#waiting.push({ start, end, files });
    this.#next = end;
    const waitingBytes = this.#waiting.reduce((sum, one) => sum + one.end - one.start, 0);
    if (waitingBytes > ringBytes / 2 && !this.#isSettling) this.#inBackground(() => this.#settleOne());
    this.#timer = setTimeout(() => this.#inBackground(() => this.settle()), settleAfterMs).unref();
  }

  /** The batch did not happen. */
  dropped(): void {
    this.#isInUse = false;
  }

  /** Brings all files to the disk where they are; nothing is left here then. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#waiting.length > 0) await this.#settleOne();
    if (this.#fd === undefined || this.#isInUse) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    rmSync(arrivalsFile(this.#folder.root), { force: true });
  }

  /** Like `settle`; what cannot be brought to the disk now stays for the next opening. */
  async close(): Promise<void> {
    await this.settle().catch((error: unknown) => this.#report(error));
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  async #makeRoom(byteLength: number): Promise<ArrivalPlace> {
    if (byteLength > ringBytes) throw new RangeError(`A media batch of ${byteLength} bytes is too large`);
    for (;;) {
      const start = placeFor(byteLength, this.#next, this.#waiting[0]?.start);
      if (start !== undefined) return { start, end: start + byteLength };
      await this.#settleOne();
    }
  }

  // One at a time, the oldest first.
  async #settleOne(): Promise<void> {
    const before = this.#settling;
    const settled = Promise.withResolvers<void>();
    this.#settling = settled.promise;
    await before;
    this.#isSettling = true;
    try {
      const [oldest] = this.#waiting;
      if (oldest === undefined) return;
      await allEnded(oldest.files.map(syncUnlessGone));
      await syncFolder(this.#folder.media);
      this.#waiting.shift();
    } finally {
      this.#isSettling = false;
      settled.resolve();
    }
  }

  // Nobody waits for it: what fails is tried again by whoever needs it done.
  #inBackground(work: () => Promise<void>): void {
    work().catch((error: unknown) => this.#report(error));
  }

  #report(error: unknown): void {
    const fields = { user: this.#folder.user, reason: messageOf(error) };
    this.#log.warn(fields, 'Cannot bring media files to the disk yet; their bytes are safe in media-arrivals');
  }

  async #opened(): Promise<number> {
    if (this.#fd !== undefined) return this.#fd;
    const fd = openSync(arrivalsFile(this.#folder.root), 'w');
    try {
      await syncFolder(this.#folder.root);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    return fd;
  }
}

/**
 * Where the next batch begins, when the last one ends at `next` and the oldest that must stay begins at `oldest`;
 * undefined when there is no room.
 */
function placeFor(byteLength: number, next: number, oldest: number | undefined): number | undefined {
  if (oldest === undefined) return 0;
  if (next <= oldest) return next + byteLength <= oldest ? next : undefined;
  if (next + byteLength <= ringBytes) return next;
  return byteLength <= oldest ? 0 : undefined;
}

/** What a process that was killed left: every file that is whole. Those of earlier batches may be among them. */
export function* readArrivals(userRoot: string): Generator<ArrivedFile> {
  let fd: number;
  try {
    fd = openSync(arrivalsFile(userRoot), 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    for (let start = 0; start < size; start += stepBytes) yield* readPlace(fd, start);
  } finally {
    closeSync(fd);
  }
}

function* readPlace(fd: number, start: number): Generator<ArrivedFile> {
  const head = readAt(fd, start, headBytes);
  if (head.length < headBytes || !head.subarray(0, 4).equals(signature)) return;
  const listBytes = head.readUInt32LE(4);
  if (listBytes > listBytesMax) return;
  const list = readAt(fd, start + headBytes, listBytes);
  if (!sha1Of(list).equals(head.subarray(8))) return; // It was being written.
  let at = start + headBytes + listBytes;
  for (const { name, sha1, size } of filesIn(list)) {
    const bytes = readAt(fd, at, size);
    at += size;
    if (sha1Of(bytes).toString('hex') === sha1) yield { name, sha1, size, bytes };
  }
}

/** What looks like a list may be part of a file that a client made: it is believed no more than that. */
function filesIn(list: Buffer): Omit<ArrivedFile, 'bytes'>[] {
  let value: unknown;
  try {
    value = JSON.parse(list.toString());
  } catch {
    return [];
  }
  return Array.isArray(value) && value.every(isListedFile) ? value : [];
}

function isListedFile(value: unknown): value is Omit<ArrivedFile, 'bytes'> {
  if (typeof value !== 'object' || value === null) return false;
  const { name, sha1, size } = value as Partial<Record<keyof ArrivedFile, unknown>>;
  const isSize = typeof size === 'number' && Number.isInteger(size) && size > 0 && size <= zipInMemoryBytesMax;
  return typeof name === 'string' && isFileName(name) && typeof sha1 === 'string' && isSize;
}

/** Nothing needs to be brought to the disk of a file that somebody has removed. */
async function syncUnlessGone(file: string): Promise<void> {
  try {
    await syncFile(file);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function headOf(files: readonly ArrivedFile[]): Buffer {
  const list = Buffer.from(JSON.stringify(files.map(({ name, sha1, size }) => ({ name, sha1, size }))));
  if (list.length > listBytesMax) throw new RangeError('The names of a media batch are too long');
  const numbers = Buffer.alloc(8);
  numbers.set(signature);
  numbers.writeUInt32LE(list.length, 4);
  return Buffer.concat([numbers, sha1Of(list), list]);
}

function sha1Of(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest();
}

function readAt(fd: number, position: number, byteLength: number): Buffer {
  const bytes = Buffer.alloc(byteLength);
  let filled = 0;
  while (filled < byteLength) {
    const count = readSync(fd, bytes, filled, byteLength - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}
