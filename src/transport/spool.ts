import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { SyncError } from '../errors.ts';
import { ByteCollector } from './body-reader.ts';
import { spoolMemoryBytesMax, streamPieceBytes } from './http-limits.ts';

/**
 * Room on the disk for payloads of senders who have not said who they are yet. Old clients send the payload before the
 * host key, so it has to be kept until the end; a common bound keeps strangers from filling the disk with it.
 */
export class SpoolRoom {
  readonly folder: string;
  readonly #bytesMax: number;
  #bytesTaken = 0;

  /** `folder` is emptied at start-up; nothing in it is ever the only copy of anything. */
  constructor(folder: string, bytesMax: number) {
    this.folder = folder;
    this.#bytesMax = bytesMax;
  }

  take(bytes: number): void {
    if (this.#bytesTaken + bytes > this.#bytesMax) {
      throw new SyncError('serverFault', 'Cannot take the payload: too many unknown senders at once');
    }
    this.#bytesTaken += bytes;
  }

  give(bytes: number): void {
    this.#bytesTaken -= bytes;
  }
}

/** A payload as sent, of unknown length: in memory while it is small, in a file beyond. Dispose of it when done. */
export class Spool implements AsyncDisposable {
  readonly #room: SpoolRoom;
  readonly #isKnownSender: boolean;
  readonly #memory = new ByteCollector();
  #file: { readonly path: string; readonly handle: FileHandle } | undefined;
  #roomTaken = 0;
  #byteLength = 0;

  /** What known senders send does not count against the room of strangers. */
  constructor(room: SpoolRoom, isKnownSender: boolean) {
    this.#room = room;
    this.#isKnownSender = isKnownSender;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Call it again only after the returned promise, if any, is settled. */
  take(piece: Uint8Array): undefined | Promise<void> {
    this.#byteLength += piece.length;
    if (this.#file === undefined && this.#byteLength <= spoolMemoryBytesMax) return this.#memory.take(piece);
    return this.#takeIntoFile(piece);
  }

  /** All bytes in memory; the caller has looked at their number. They can be had once. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#file === undefined) return this.#memory.release();
    const whole = new ByteCollector();
    for await (const piece of this.pieces()) whole.take(piece);
    return whole.release();
  }

  /** The bytes in pieces, in constant memory. They can be had once. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    if (this.#file === undefined) yield this.#memory.release();
    else yield* createReadStream(this.#file.path, { highWaterMark: streamPieceBytes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#memory.release();
    this.#room.give(this.#roomTaken);
    this.#roomTaken = 0;
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
    if (file !== undefined) await rm(file.path, { force: true });
  }

  async #takeIntoFile(piece: Uint8Array): Promise<void> {
    if (!this.#isKnownSender) {
      this.#room.take(this.#byteLength - this.#roomTaken);
      this.#roomTaken = this.#byteLength;
    }
    if (this.#file === undefined) {
      const file = path.join(this.#room.folder, randomUUID());
      this.#file = { path: file, handle: await open(file, 'wx') };
      await this.#file.handle.appendFile(this.#memory.release());
    }
    await this.#file.handle.appendFile(piece);
  }
}
