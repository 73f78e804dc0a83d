import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type JsonValue, parseJsonBytes } from '../collection/format/json.ts';
import { messageOf, SyncError } from '../errors.ts';
import { jsonBytesMax, zstdWindowLogMax } from '../limits.ts';
import { inflateZstd } from '../storage/zstd.ts';
import { contentOfPlainFrame } from '../storage/zstd-plain.ts';
import type { Payload } from './message.ts';

/** The payload without its compression. Refuses more than `bytesMax` bytes as soon as they are passed. */
export function openPayload(payload: Payload, bytesMax: number): Uint8Array {
  if (payload.kind === 'file') {
    if (payload.byteLength > bytesMax) throw tooLarge(bytesMax);
    return readFileSync(payload.path);
  }
  try {
    return inflate(payload, bytesMax);
  } catch (error) {
    if (error instanceof SyncError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax);
    throw new SyncError('malformedRequest', `Cannot decompress the message: ${messageOf(error)}`, { cause: error });
  }
}

/** The JSON of a message, of `bytesMax` bytes or `jsonBytesMax` at most. Integers are exact; see `parseJson`. */
export function parseMessage(payload: Payload, bytesMax = jsonBytesMax): JsonValue {
  const bytes = openPayload(payload, Math.min(bytesMax, jsonBytesMax));
  try {
    return parseJsonBytes(bytes);
  } catch (error) {
    throw new SyncError('malformedRequest', `Cannot read the message: ${messageOf(error)}`, { cause: error });
  }
}

function inflate(payload: Payload & { kind: 'bytes' }, bytesMax: number): Uint8Array {
  switch (payload.coding) {
    case 'zstd':
      return (
        openPlain(payload.bytes, bytesMax) ?? inflateZstd(payload.bytes, { bytesMax, windowLogMax: zstdWindowLogMax })
      );
    case 'gzip':
      return gunzipSync(payload.bytes, { maxOutputLength: bytesMax });
    case 'identity':
      if (payload.bytes.byteLength > bytesMax) throw tooLarge(bytesMax);
      return payload.bytes;
    default:
      return payload.coding satisfies never;
  }
}

/** Most messages of a sync are so short that clients cannot compress them. */
function openPlain(bytes: Uint8Array, bytesMax: number): Uint8Array | undefined {
  const content = contentOfPlainFrame(bytes);
  return content !== undefined && content.byteLength <= bytesMax ? content : undefined;
}

/** The official server cuts a message here, which makes it invalid: 400 for the client, as with us. */
function tooLarge(bytesMax: number): SyncError {
  return new SyncError('malformedRequest', `Cannot read the message: larger than ${bytesMax} bytes`);
}
