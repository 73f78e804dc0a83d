import { DoubtfulPageError } from './sqlite-pages.ts';

/** A value of a record: texts as their bytes, since only a collation knows what they mean. */
export type StoredValue =
  | { readonly kind: 'null' }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'real' }
  | { readonly kind: 'text' | 'blob'; readonly bytes: Buffer };

/**
 * Takes a record apart: the length of its head and a type for each value, all of them numbers of variable length, then the
 * values. Throws `DoubtfulPageError` when these do not fill it exactly.
 *
 * | type | bytes | value |
 * |---|---|---|
 * | 0 | 0 | null |
 * | 1 … 6 | 1, 2, 3, 4, 6, 8 | an integer, big-endian |
 * | 7 | 8 | a real number |
 * | 8, 9 | 0 | the integers 0 and 1 |
 * | even, from 12 on | (type − 12) / 2 | a blob |
 * | odd, from 13 on | (type − 13) / 2 | a text |
 */
export function readRecord(record: Buffer): StoredValue[] {
  const head = readVarint(record, 0);
  const values: StoredValue[] = [];
  let at = head.end;
  let valueAt = head.value;
  while (at < head.value) {
    const type = readVarint(record, at);
    const end = valueAt + bytesOf(type.value);
    if (end > record.length) throw new DoubtfulPageError('a record is shorter than its values');
    values.push(storedValue(type.value, record.subarray(valueAt, end)));
    at = type.end;
    valueAt = end;
  }
  if (at !== head.value || valueAt !== record.length)
    throw new DoubtfulPageError('a record is not as long as its values');
  return values;
}

/** A length, as it may occur: up to 2^49, in at most seven bytes. */
export function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let end = at; end < at + lengthBytesMax; end++) {
    const byte = bytes[end];
    if (byte === undefined) break;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: end + 1 };
  }
  throw new DoubtfulPageError('a length is cut off or too large');
}

/** A row id: 64 bits, of which the ninth byte has all of its eight. */
export function readRowId(bytes: Buffer, at: number): { readonly value: bigint; readonly end: number } {
  let value = 0n;
  for (let end = at; end < at + 9; end++) {
    const byte = bytes[end];
    if (byte === undefined) break;
    if (end === at + 8) return { value: BigInt.asIntN(64, (value << 8n) | BigInt(byte)), end: end + 1 };
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return { value, end: end + 1 };
  }
  throw new DoubtfulPageError('a row id is cut off');
}

const lengthBytesMax = 7;
const FIXED_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function bytesOf(type: number): number {
  const fixed = FIXED_BYTES[type];
  if (fixed !== undefined) return fixed;
  if (type < 12) throw new DoubtfulPageError(`a value of the reserved type ${type}`);
  return (type - (type % 2 === 0 ? 12 : 13)) / 2;
}

function storedValue(type: number, bytes: Buffer): StoredValue {
  switch (type) {
    case 0:
      return { kind: 'null' };
    case 7:
      return { kind: 'real' };
    case 8:
      return { kind: 'integer', value: 0n };
    case 9:
      return { kind: 'integer', value: 1n };
    case 6:
      return { kind: 'integer', value: bytes.readBigInt64BE() };
    default:
      if (type < 6) return { kind: 'integer', value: BigInt(bytes.readIntBE(0, bytes.length)) };
      return { kind: type % 2 === 0 ? 'blob' : 'text', bytes };
  }
}
