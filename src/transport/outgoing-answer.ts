import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, createZstdCompress, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Answer, Dress } from '../protocol/message.ts';
import { compressAtOnceBytesMax, streamPieceBytes } from './http-limits.ts';

const zstdCompressInPool = promisify(zstdCompress);
/** Best ratio for the time, measured on collections. Media hardly shrink at any level. */
const fileParams = { [constants.ZSTD_c_compressionLevel]: 3 };
/** Messages are small: speed counts more than their last tenth. */
const messageParams = { [constants.ZSTD_c_compressionLevel]: 1 };

type FileAnswer = Answer & { kind: 'file' };

/** What carries an answer: the response, and how long its receiver may be silent. */
export interface Outgoing {
  readonly response: ServerResponse;
  readonly dress: Dress;
  readonly stalledMsMax: number;
}

/**
 * Sends an answer in the dress of its request: modern clients get zstd and the original size, which they insist on,
 * legacy clients plain bytes with their length. Files are streamed in constant memory; disposing of them is the
 * caller's. Settles when the answer has left this process, rejects when the client is gone.
 */
export async function sendAnswer(answer: Answer, outgoing: Outgoing): Promise<void> {
  if (answer.kind === 'file') return sendFile(answer, outgoing);
  const { bytes, originalBytes } = await dressed(answer, outgoing.dress);
  cutOffWhenSilent(outgoing);
  outgoing.response.writeHead(200, { ...headersOf(outgoing.dress, originalBytes), 'content-length': bytes.byteLength });
  outgoing.response.end(bytes);
}

async function sendFile({ path, byteLength }: FileAnswer, outgoing: Outgoing): Promise<void> {
  const file = createReadStream(path, { highWaterMark: streamPieceBytes });
  try {
    await once(file, 'ready'); // Before the status line: that it cannot be opened can still be told.
    cutOffWhenSilent(outgoing);
    const { response, dress } = outgoing;
    const headers = headersOf(dress, byteLength);
    if (dress === 'modern') {
      response.writeHead(200, headers);
      await pipeline(file, createZstdCompress({ chunkSize: streamPieceBytes, params: fileParams }), response);
    } else {
      response.writeHead(200, { ...headers, 'content-length': byteLength });
      await pipeline(file, response);
    }
  } finally {
    file.destroy();
  }
}

/** Removes the copy that was streamed, or hands the live file back. */
export async function disposeOfFile(answer: FileAnswer, release: () => void): Promise<void> {
  switch (answer.afterwards) {
    case 'delete':
      return rm(answer.path, { force: true });
    case 'release':
      return release();
    default:
      return answer.afterwards satisfies never;
  }
}

function headersOf(dress: Dress, originalBytes: number): Record<string, string | number> {
  const headers = { 'content-type': 'application/octet-stream' };
  // No content-encoding: the compression belongs to the protocol, HTTP libraries must not undo it.
  return dress === 'modern' ? { ...headers, 'anki-original-size': originalBytes } : headers;
}

interface DressedBytes {
  readonly bytes: Uint8Array;
  readonly originalBytes: number;
}

async function dressed(answer: Exclude<Answer, FileAnswer>, dress: Dress): Promise<DressedBytes> {
  const { bytes } = answer;
  if (answer.kind === 'zstd') {
    const { originalBytes } = answer;
    if (dress === 'modern') return { bytes, originalBytes };
    return { bytes: zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, originalBytes) }), originalBytes };
  }
  if (dress === 'legacy') return { bytes, originalBytes: bytes.byteLength };
  return { bytes: await compressed(bytes), originalBytes: bytes.byteLength };
}

async function compressed(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.byteLength <= compressAtOnceBytesMax) return zstdCompressSync(bytes, { params: messageParams });
  return zstdCompressInPool(bytes, { params: messageParams });
}

/** A client that takes no byte for this long is given up. Slow but moving ones never are. */
function cutOffWhenSilent({ response, stalledMsMax }: Outgoing): void {
  response.once('timeout', () => response.destroy(new Error(`The client took no byte for ${stalledMsMax / 1000} s`)));
  response.socket?.setTimeout(stalledMsMax);
}
