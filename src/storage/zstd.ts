import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import {
  constants,
  createZstdDecompress,
  type ZstdDecompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';
import { ZstdFrameCutter } from './zstd-frames.ts';

const zstdDecompressInPool = promisify(zstdDecompress);
/** Room that is made at a time for what comes out, bytes: most media messages fit into one. */
const pooledChunkBytes = 512 * 1024;

/** Frames of one body where Node does not read them by itself. Senders make one, or one for some megabytes. */
const framesMax = 10_000;

/**
 * Node 24 ends quietly after the first frame, so what follows would be lost, and its older releases take a frame that is
 * cut off for whole. Node 26 does neither. Asked of the decoder itself, because a release of Node 24 may learn it.
 */
const readsAllFrames = zstdDecompressSync(twoFrames()).length === 2;

function twoFrames(): Buffer {
  const frame = zstdCompressSync(Buffer.from('x'));
  return Buffer.concat([frame, frame]);
}

export interface InflateOptions {
  /** Most that may come out, bytes. */
  readonly bytesMax: number;
  /** Largest window that is accepted, as a power of two. */
  readonly windowLogMax?: number;
  /** Frames are cut apart first, also where Node would read all of them. */
  readonly cutsFrames?: boolean;
}

/** Inflates all frames. Throws `ERR_BUFFER_TOO_LARGE` for too much, other errors of `node:zlib` for what is no zstd. */
export function inflateZstd(bytes: Uint8Array, options: InflateOptions): Uint8Array {
  const { bytesMax, windowLogMax, cutsFrames = !readsAllFrames } = options;
  const params = paramsOf(windowLogMax);
  if (!cutsFrames) return zstdDecompressSync(bytes, { maxOutputLength: bytesMax, params });
  const contents: Uint8Array[] = [];
  let byteLength = 0;
  const cutter = new ZstdFrameCutter();
  for (const frame of cutter.cut(bytes)) {
    if (contents.length === framesMax) throw tooManyFrames();
    // A maximum of 0 means none to Node; one byte too many is found out below.
    const content = zstdDecompressSync(frame, { maxOutputLength: Math.max(bytesMax - byteLength, 1), params });
    contents.push(content);
    byteLength += content.length;
    if (byteLength > bytesMax) throw tooLarge(bytesMax);
  }
  if (!cutter.isComplete) throw cutOff();
  return contents.length === 1 && contents[0] !== undefined ? contents[0] : Buffer.concat(contents);
}

/** The same in the thread pool, where Node can do it. */
export async function inflateZstdInPool(bytes: Uint8Array, options: InflateOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { bytesMax, windowLogMax, cutsFrames = !readsAllFrames } = options;
  if (cutsFrames) return Buffer.from(inflateZstd(bytes, options));
  const params = paramsOf(windowLogMax);
  return zstdDecompressInPool(bytes, { maxOutputLength: bytesMax, chunkSize: pooledChunkBytes, params });
}

export interface InflaterOptions {
  /** Pieces that come out, bytes. */
  readonly chunkSize?: number;
  /** Largest window that is accepted, as a power of two. */
  readonly windowLogMax?: number;
  /** Frames are cut apart first, also where Node would read all of them. */
  readonly cutsFrames?: boolean;
}

/** Inflates all frames of a stream. Its errors are those of `node:zlib`. */
export function createZstdInflater(options: InflaterOptions = {}): Transform {
  const { chunkSize, windowLogMax, cutsFrames = !readsAllFrames } = options;
  const decoder = createZstdDecompress({
    ...(chunkSize === undefined ? {} : { chunkSize }),
    params: paramsOf(windowLogMax),
  });
  return cutsFrames ? new FrameWiseInflater(decoder) : decoder;
}

/** Gives a decoder, which drops the rest of a piece in which a frame ends, pieces that end there. */
class FrameWiseInflater extends Transform {
  readonly #decoder: ZstdDecompress;
  readonly #cutter = new ZstdFrameCutter();
  #pieces = 0;
  #inputs = 0;

  constructor(decoder: ZstdDecompress) {
    super({ readableHighWaterMark: decoder.readableHighWaterMark });
    this.#decoder = decoder;
    decoder.on('data', (piece: Buffer) => {
      if (!this.push(piece)) decoder.pause();
    });
    decoder.on('error', (error) => this.destroy(error));
  }

  override _read(size: number): void {
    this.#decoder.resume();
    super._read(size);
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#inputs += 1;
    const frames = this.#cutter.cut(piece);
    const next = (error?: Error | null): void => {
      const frame = frames.next();
      this.#pieces += 1;
      if (error || frame.done) done(error);
      else if (this.#pieces - this.#inputs > framesMax) done(tooManyFrames());
      else this.#decoder.write(frame.value, next);
    };
    next();
  }

  override _flush(done: TransformCallback): void {
    if (this.#cutter.isComplete) this.#decoder.once('end', () => done()).end();
    else done(cutOff());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#decoder.destroy();
    done(error);
  }
}

function paramsOf(windowLogMax: number | undefined): Record<number, number> {
  return windowLogMax === undefined ? {} : { [constants.ZSTD_d_windowLogMax]: windowLogMax };
}

/** With codes as Node gives them, so that callers need not know where an error comes from. */
function tooLarge(bytesMax: number): Error {
  return Object.assign(new RangeError(`Cannot inflate more than ${bytesMax} bytes`), { code: 'ERR_BUFFER_TOO_LARGE' });
}

function cutOff(): Error {
  return Object.assign(new Error('unexpected end of file'), { code: 'Z_BUF_ERROR' });
}

function tooManyFrames(): Error {
  return Object.assign(new Error(`More than ${framesMax} frames`), { code: 'ZSTD_error_frames' });
}
