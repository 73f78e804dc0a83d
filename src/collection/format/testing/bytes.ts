import type { Message } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { decodeBlob, encodeBlob } from '../blobs.ts';
import { parseJsonBytes, stringifyJson } from '../json.ts';

/** Bytes from hexadecimal digits; blanks are allowed anywhere. */
export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** A blob as hexadecimal digits; the unknown keys inside, which Anki writes in any order, sorted. */
export function hexWithSortedKeys<M extends Message<string> & { other: Uint8Array }>(
  schema: GenMessage<M>,
  blob: Uint8Array,
): string {
  const message = decodeBlob<M>(schema, blob, 'blob');
  if (message.other.length > 0) {
    message.other = Buffer.from(stringifyJson(parseJsonBytes(message.other), { sortKeys: true }));
  }
  return hexOf(encodeBlob<M>(schema, message));
}
