import { type FileHandle, open, rm } from 'node:fs/promises';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { PassThrough, type Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, createZstdCompress, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Answer, Dress } from '../protocol/message.ts';
import { giveBack, giveBackAll, hasOwnMemory } from '../storage/own-memory.ts';
import { plainFrame, shortBytesMax } from '../storage/zstd-plain.ts';
import { looksPacked, StoredFrame } from '../storage/zstd-stored.ts';
import type { AheadRoom } from './ahead-room.ts';
import { compressAtOnceBytesMax, onePieceBytesMax, streamPieceBytes } from './http-limits.ts';

const zstdCompressInPool = promisify(zstdCompress);
/** Measured on collections: half the processor time of level 3 for 6 % more bytes. Media hardly shrink at any level. */
const fileParams = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Messages are small: speed counts more than their last tenth. */
const messageParams = { [constants.ZSTD_c_compressionLevel]: 1 };

/** Where and how far a look is taken at a file, to see whether it is compressed already. */
const lookPlaces = 4;
const lookBytes = 1024;

type FileAnswer = Answer & { kind: 'file' };

/** What carries an answer: the response, and how long its receiver may be silent. */
export interface Outgoing {
  readonly response: ServerResponse;
  readonly dress: Dress;
  readonly stalledMsMax: number;
  readonly aheadRoom: AheadRoom;
}

/**
 * Sends an answer in the dress of its request: modern clients get zstd and the original size, which they insist on,
 * legacy clients plain bytes with their length. Files are streamed in constant memory; disposing of them is the
 * caller's. Settles when the answer has left this process, rejects when the client is gone.
 */
export async function sendAnswer(answer: Answer, outgoing: Outgoing): Promise<void> {
  if (answer.kind === 'file') return sendFile(answer, outgoing);
  const { parts, originalBytes } = await dressed(answer, outgoing.dress);
  const { response, dress } = outgoing;
  const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  response.writeHead(200, headersOf(dress, originalBytes, byteLength));
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && byteLength <= onePieceBytesMax) endInOnePiece(only, response);
  else endWith(parts, response, answer.bytes);
  // Most answers are in the hands of the system by now.
  if (response.writableLength > 0) cutOffWhenSilent(outgoing);
}

/** Node sends head and body in one piece if the body is text, and in two otherwise, which costs more than to copy it. */
function endInOnePiece(bytes: Uint8Array, response: ServerResponse): void {
  response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'), 'latin1');
}

/** `source`: what the parts were cut from, which is needed no more when they have left. */
function endWith(parts: readonly Uint8Array[], response: ServerResponse, source: Uint8Array): void {
  response.cork();
  for (const part of parts) response.write(part);
  response.end(() => {
    if (hasOwnMemory(source)) giveBackAll(source);
  });
}

async function sendFile(answer: FileAnswer, outgoing: Outgoing): Promise<void> {
  const { path, byteLength, soundness } = answer;
  await using file = await open(path); // Before the status line: that it cannot be opened can still be told.
  cutOffWhenSilent(outgoing);
  const { response, dress } = outgoing;
  if (dress === 'modern' && !(await looksPackedInside(file, byteLength))) {
    return await sendCompressed(file, answer, outgoing);
  }
  await mayBegin(answer);
  if (dress === 'modern') {
    response.writeHead(200, headersOf(dress, byteLength));
    const frame = new StoredFrame(byteLength);
    response.write(frame.head);
    await writeFileTo(file, response, { soundness, wrap: (piece) => frame.blocks(piece) });
  } else {
    response.writeHead(200, headersOf(dress, byteLength, byteLength));
    await writeFileTo(file, response, { soundness });
  }
  await finished(response);
}

/** The compression begins at once, while the file is being checked. */
async function sendCompressed(file: FileHandle, answer: FileAnswer, outgoing: Outgoing): Promise<void> {
  const { response, dress, aheadRoom } = outgoing;
  using room = aheadRoom.take();
  const zstd = createZstdCompress({ chunkSize: streamPieceBytes, params: fileParams });
  const ahead = new PassThrough({ writableHighWaterMark: streamPieceBytes, readableHighWaterMark: room.bytes });
  const compressing = Promise.all([writeFileTo(file, zstd, { soundness: answer.soundness }), pipeline(zstd, ahead)]);
  try {
    await Promise.race([mayBegin(answer), compressing]); // Whatever goes wrong by then can still be told.
    response.writeHead(200, headersOf(dress, answer.byteLength));
    await Promise.all([passOn(ahead, response), compressing]);
  } catch (error) {
    zstd.destroy();
    await compressing.catch(() => {}); // It reads the file until then.
    throw error;
  }
}

/** Settles with the check of the file, or when it has taken too long: then the file is sent while it goes on. */
async function mayBegin({ soundness, soundnessWaitMs = 0 }: FileAnswer): Promise<void> {
  if (soundness === undefined || soundnessWaitMs === 0) return;
  await Promise.race([soundness, sleep(soundnessWaitMs, undefined, { ref: false })]);
}

/** Writes all of a stream, with no more than a piece under way. */
async function passOn(source: AsyncIterable<Buffer>, response: ServerResponse): Promise<void> {
  for await (const piece of source) {
    await writeParts(response, [piece]);
    giveBack(piece);
  }
  response.end();
  await finished(response);
}

/**
 * Writes a whole file, piece by piece through one buffer: new buffers for every piece pile up faster than they are
 * collected, by tens of megabytes. Each piece has left the buffer when the next one is read. The last one waits for
 * `soundness`: a receiver that lacks it has no whole answer, and drops what it got.
 */
async function writeFileTo(
  file: FileHandle,
  target: Writable,
  { soundness, wrap = (piece) => [piece] }: FileWriting,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(streamPieceBytes);
  const { size } = await file.stat();
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    position += bytesRead;
    if (bytesRead === 0 || position >= size) await soundness;
    if (bytesRead === 0) break;
    await writeParts(target, wrap(buffer.subarray(0, bytesRead)));
    if (position >= size) break; // One more look at the file, and a quick client is gone before the end is written.
  }
  target.end();
}

interface FileWriting {
  readonly soundness: Promise<void> | undefined;
  /** What is sent of a piece. */
  readonly wrap?: (piece: Buffer) => readonly Uint8Array[];
}

/** A few places of a file tell what kind of content it has. */
async function looksPackedInside(file: FileHandle, byteLength: number): Promise<boolean> {
  const sample = Buffer.alloc(lookPlaces * lookBytes);
  const step = Math.max(0, byteLength - lookBytes) / (lookPlaces - 1);
  for (let place = 0; place < lookPlaces; place++) {
    await file.read(sample, place * lookBytes, lookBytes, Math.floor(place * step));
  }
  return looksPacked(sample);
}

/** Settles when the parts are no longer needed, rejects when the target is closed before. */
function writeParts(target: Writable, parts: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(target.errored ?? new Error('The client closed the connection'));
    if (target.destroyed) return closed();
    target.once('close', closed);
    target.cork();
    for (const part of parts.slice(0, -1)) target.write(part);
    target.write(parts.at(-1) ?? '', (error) => {
      target.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
    target.uncork();
  });
}

/** Removes the copy that was streamed, or hands the live file back, when nobody reads it any more. */
export async function disposeOfFile(answer: FileAnswer, release: () => void): Promise<void> {
  await answer.soundness?.catch(() => {}); // The sender has heard it, unless the client was gone before.
  switch (answer.afterwards) {
    case 'delete':
      return rm(answer.path, { force: true });
    case 'release':
      return release();
    default:
      return answer.afterwards satisfies never;
  }
}

/** `sentBytes`: length of what is sent, if it is known. */
function headersOf(dress: Dress, originalBytes: number, sentBytes?: number): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { 'content-type': 'application/octet-stream' };
  // No content-encoding: the compression belongs to the protocol, HTTP libraries must not undo it.
  if (dress === 'modern') headers['anki-original-size'] = originalBytes;
  if (sentBytes !== undefined) headers['content-length'] = sentBytes;
  return headers;
}

interface DressedBytes {
  /** One behind the other. */
  readonly parts: readonly Uint8Array[];
  readonly originalBytes: number;
}

async function dressed(answer: Exclude<Answer, FileAnswer>, dress: Dress): Promise<DressedBytes> {
  const { bytes } = answer;
  if (answer.kind === 'zstd') {
    const { originalBytes } = answer;
    if (dress === 'modern') return { parts: [bytes], originalBytes };
    return { parts: [zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, originalBytes) })], originalBytes };
  }
  const parts = dress === 'modern' ? await compressed(bytes) : [bytes];
  return { parts, originalBytes: bytes.byteLength };
}

async function compressed(bytes: Uint8Array): Promise<readonly Uint8Array[]> {
  if (bytes.byteLength <= shortBytesMax) return [plainFrame(bytes)];
  if (looksPacked(bytes)) {
    const frame = new StoredFrame(bytes.byteLength);
    return [frame.head, ...frame.blocks(bytes)];
  }
  if (bytes.byteLength <= compressAtOnceBytesMax) return [zstdCompressSync(bytes, { params: messageParams })];
  return [await zstdCompressInPool(bytes, { params: messageParams })];
}

/** A client that takes no byte for this long is given up. Slow but moving ones never are. */
function cutOffWhenSilent({ response, stalledMsMax }: Outgoing): void {
  response.once('timeout', () => response.destroy(new Error(`The client took no byte for ${stalledMsMax / 1000} s`)));
  response.socket?.setTimeout(stalledMsMax);
}
