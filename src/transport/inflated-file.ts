import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { PassThrough, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { messageOf, SyncError } from '../errors.ts';
import { KiB, zstdWindowLogMax } from '../limits.ts';
import type { Payload } from '../protocol/message.ts';
import { createZstdInflater } from '../storage/zstd.ts';
import { BlockCutter } from './body-reader.ts';
import { streamPieceBytes } from './http-limits.ts';

/** Each block costs a trip to the thread pool. */
const inputBlockBytes = 64 * KiB;

export type Coding = (Payload & { kind: 'bytes' })['coding'];

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
  readonly #counter: ByteCounter;
  readonly #written: Promise<void>;
  #isFinished = false;

  /** `path` does not exist yet, its folder does. */
  constructor(path: string, coding: Coding, bytesMax: number) {
    this.path = path;
    this.#input = decompressor(coding);
    this.#counter = new ByteCounter(bytesMax);
    const output = createWriteStream(path, { flags: 'wx', highWaterMark: streamPieceBytes });
    this.#written = pipeline(this.#input, this.#counter, output).catch((error) => {
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

  /** Takes compressed bytes. A promise asks to wait with the next ones; after a failure it stays open, see `failure`. */
  take(piece: Uint8Array): undefined | Promise<void> {
    let isFull = false;
    for (const block of this.#cutter.cut(piece)) if (!this.#input.destroyed) isFull = !this.#input.write(block);
    return isFull ? new Promise((resolve) => this.#input.once('drain', resolve)) : undefined;
  }

  /** No more bytes come: all of them are in the file, not yet synced to the disk. Returns its length in bytes. */
  async finish(): Promise<number> {
    if (!this.#input.destroyed) this.#input.end(this.#cutter.rest());
    await this.#written;
    this.#isFinished = true;
    return this.#counter.byteLength;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFinished) return;
    this.#input.destroy();
    await this.#written.catch(() => {});
    await rm(this.path, { force: true });
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

class ByteCounter extends Transform {
  byteLength = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    super({ highWaterMark: streamPieceBytes });
    this.#bytesMax = bytesMax;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.byteLength += piece.length;
    if (this.byteLength > this.#bytesMax) done(new InflatedTooLargeError(this.#bytesMax));
    else done(null, piece);
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
