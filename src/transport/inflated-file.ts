import { type FileHandle, open, rm } from 'node:fs/promises';
import { PassThrough, type Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, SyncError } from '../errors.ts';
import { KiB, MiB, zstdWindowLogMax } from '../limits.ts';
import type { Payload } from '../protocol/message.ts';
import { giveBack, giveBackAll } from '../storage/own-memory.ts';
import { createZstdInflater } from '../storage/zstd.ts';
import { BlockCutter } from './body-reader.ts';
import { streamPieceBytes } from './http-limits.ts';

/** Each block costs a trip to the thread pool and back; below a millisecond for larger ones, too. */
const inputBlockBytes = 256 * KiB;
/**
 * After so many bytes the disk begins to take them, if the file is to stay. All at the end would hold up the answer, and,
 * on file systems with one journal, everybody else's commits.
 */
const syncStepBytes = 32 * MiB;

export type Coding = (Payload & { kind: 'bytes' })['coding'];

export interface InflatedFileOptions {
  readonly coding: Coding;
  /** Most that may come out, bytes. */
  readonly bytesMax: number;
  /** Will the file be synced and kept? Else it is read once and removed, and the disk need never hear of it. */
  readonly isToStay: boolean;
}

/** More came out of the decompression than is allowed. What to answer depends on the message. */
export class InflatedTooLargeError extends Error {
  constructor(bytesMax: number) {
    super(`Cannot take the payload: larger than ${bytesMax} bytes after decompression`);
    this.name = 'InflatedTooLargeError';
  }
}

/**
 * A new file that is filled with decompressed bytes while they arrive, in constant memory. It is removed again unless
 * `finish` succeeds. Failures are `malformedRequest` for bytes that do not decompress and `InflatedTooLargeError`.
 */
export class InflatedFile implements AsyncDisposable {
  readonly path: string;
  readonly #input: Transform;
  readonly #cutter = new BlockCutter(inputBlockBytes);
  /** The decompressor has no use for a block that it has read. */
  readonly #givesBlocksBack: boolean;
  readonly #bytesMax: number;
  readonly #isToStay: boolean;
  readonly #written: Promise<void>;
  #byteLength = 0;
  #isFinished = false;

  /** `path` does not exist yet, its folder does. */
  constructor(path: string, { coding, bytesMax, isToStay }: InflatedFileOptions) {
    this.path = path;
    this.#input = decompressor(coding);
    this.#input.on('error', () => {}); // `#write` hears it, but not yet while it opens the file: it would end the process.
    this.#givesBlocksBack = coding !== 'identity';
    this.#bytesMax = bytesMax;
    this.#isToStay = isToStay;
    this.#written = this.#write().catch((error) => {
      throw asRefusal(error);
    });
    this.#written.catch(() => {}); // Heard through `failure`, `take` or `finish`.
  }

  /** Rejects as soon as no more bytes can be taken. */
  get failure(): Promise<never> {
    const failure = this.#written.then(() => new Promise<never>(() => {}));
    failure.catch(() => {}); // Whoever asked for it may have no use for it any more.
    return failure;
  }

  /**
   * Takes compressed bytes, which the caller has no use for afterwards. A promise asks to wait with the next ones; after a
   * failure it stays open, see `failure`.
   */
  take(piece: Uint8Array): undefined | Promise<void> {
    let isFull = false;
    for (const block of this.#cutter.cut(piece)) if (!this.#input.destroyed) isFull = !this.#decompress(block);
    giveBack(piece);
    return isFull ? new Promise((resolve) => this.#input.once('drain', resolve)) : undefined;
  }

  /** No more bytes come: all of them are in the file, not yet synced to the disk. Returns its length in bytes. */
  async finish(): Promise<number> {
    const rest = this.#cutter.rest();
    if (!this.#input.destroyed) {
      if (rest.length > 0) this.#decompress(rest);
      this.#input.end();
    }
    await this.#written;
    this.#isFinished = true;
    return this.#byteLength;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished) return;
    this.#input.destroy();
    await this.#written.catch(() => {});
    await rm(this.path, { force: true });
  }

  #decompress(block: Buffer): boolean {
    if (!this.#givesBlocksBack) return this.#input.write(block);
    return this.#input.write(block, (error) => {
      if (!error) giveBackAll(block);
    });
  }

  async #write(): Promise<void> {
    let last: Buffer | undefined;
    try {
      await using file = await open(this.path, 'wx');
      await using disk = new SteadySync(file);
      for await (const piece of this.#input as AsyncIterable<Buffer>) {
        this.#byteLength += piece.length;
        if (this.#byteLength > this.#bytesMax) throw new InflatedTooLargeError(this.#bytesMax);
        await file.appendFile(piece);
        giveBack(piece);
        last = piece;
        if (this.#isToStay) await disk.wrote(piece.length);
      }
      if (last !== undefined) giveBackAll(last);
      await disk.settle();
    } catch (error) {
      this.#input.destroy();
      throw error;
    }
  }
}

/** Lets the disk take a file step by step while it grows. What the disk complains of is thrown by the next call. */
class SteadySync implements AsyncDisposable {
  readonly #file: FileHandle;
  #unsyncedBytes = 0;
  #syncing: Promise<void> = Promise.resolve();

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Waits when the disk is a whole step behind. */
  async wrote(bytes: number): Promise<void> {
    this.#unsyncedBytes += bytes;
    if (this.#unsyncedBytes < syncStepBytes) return;
    await this.#syncing;
    this.#unsyncedBytes = 0;
    this.#syncing = this.#file.datasync();
    this.#syncing.catch(() => {}); // Heard by the next call.
  }

  /** Nothing is under way any more; up to a step may still be missing on the disk. */
  settle(): Promise<void> {
    return this.#syncing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#syncing.catch(() => {});
  }
}

function decompressor(coding: Coding): Transform {
  switch (coding) {
    case 'zstd':
      return createZstdInflater({ chunkSize: streamPieceBytes, windowLogMax: zstdWindowLogMax });
    case 'gzip':
      return createGunzip({ chunkSize: streamPieceBytes });
    case 'identity':
      return new PassThrough({ highWaterMark: streamPieceBytes });
    default:
      return coding satisfies never;
  }
}

/** Errors of the decompressor are the sender's; those of the disk are ours. */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const isDecompression =
    typeof error.code === 'string' && /^(?:Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB|ERR_TRAILING)/.test(error.code);
  if (!isDecompression) return error;
  return new SyncError('malformedRequest', `Cannot decompress the request: ${messageOf(error)}`, { cause: error });
}
