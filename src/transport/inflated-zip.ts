import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { zipInMemoryBytesMax, zstdWindowLogMax } from '../limits.ts';
import type { Payload } from '../protocol/message.ts';
import { giveBack, giveBackAll } from '../storage/own-memory.ts';
import { inflateZstdInPool } from '../storage/zstd.ts';
import { ByteCollector } from './body-reader.ts';
import { asRefusal, InflatedFile } from './inflated-file.ts';

/**
 * The zip of media while it arrives in zstd, and decompressed when it is whole: most are small and stay in memory, others
 * go to a file. Dispose of it; a file stays only if `finish` succeeds. Failures are those of `InflatedFile`.
 */
export class InflatedZip implements AsyncDisposable {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #memory = new ByteCollector();
  readonly #failed = Promise.withResolvers<never>();
  #file: InflatedFile | undefined;

  /** `path` is where a file may be made. */
  constructor(path: string, bytesMax: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#failed.promise.catch(() => {}); // Whoever reads the body hears it.
  }

  /** Rejects as soon as no more bytes can be taken. */
  get failure(): Promise<never> {
    return this.#failed.promise;
  }

  /** Takes compressed bytes. A promise asks to wait with the next ones; after a failure it stays open, see `failure`. */
  take(piece: Uint8Array): undefined | Promise<void> {
    if (this.#file !== undefined) return this.#file.take(piece);
    this.#memory.take(piece);
    if (!this.#memory.owns(piece)) giveBack(piece);
    return this.#memory.byteLength > zipInMemoryBytesMax ? this.#moveToFile(this.#memory.release()) : undefined;
  }

  /** No more bytes come. */
  async finish(): Promise<Payload> {
    if (this.#file === undefined) {
      const sent = this.#memory.release();
      const bytes = await inflatedIfSmall(sent, Math.min(zipInMemoryBytesMax, this.#bytesMax));
      if (bytes !== undefined) {
        if (bytes !== sent) giveBackAll(sent);
        return { kind: 'bytes', bytes, coding: 'identity' };
      }
      await Promise.race([this.#moveToFile(sent), this.failure]);
    }
    return { kind: 'file', path: this.#path, byteLength: (await this.#file?.finish()) ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.[Symbol.asyncDispose]();
  }

  #moveToFile(sent: Uint8Array): undefined | Promise<void> {
    mkdirSync(path.dirname(this.#path), { recursive: true });
    this.#file = new InflatedFile(this.#path, { coding: 'zstd', bytesMax: this.#bytesMax, isToStay: false });
    this.#file.failure.catch(this.#failed.reject);
    return this.#file.take(sent);
  }
}

/** Undefined for what is too large to be kept in memory. */
async function inflatedIfSmall(
  sent: Uint8Array<ArrayBuffer>,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (sent.byteLength === 0) return sent; // No body at all is an empty zip, which decompressors do not know.
  try {
    return await inflateZstdInPool(sent, { bytesMax, windowLogMax: zstdWindowLogMax });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw asRefusal(error);
  }
}
