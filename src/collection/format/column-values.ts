import type { SqlValue } from '../../storage/exact-rows.ts';
import { FormatError } from './format-error.ts';
import { safeNumber } from './read-object.ts';

// SQLite does not hold anybody to the declared types, Anki does: a text where a blob belongs makes a file unusable.

/** A 64-bit integer, such as an id. */
export function idColumn(value: SqlValue | undefined, what: string): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  throw wrongType(what, 'an integer');
}

/** A time in seconds; absurd ones are cut to what a number holds exactly. */
export function secsColumn(value: SqlValue | undefined, what: string): number {
  return safeNumber(idColumn(value, what));
}

/** A usn; Anki keeps the low 32 bits of what stands there. */
export function usnColumn(value: SqlValue | undefined, what: string): number {
  return Number(BigInt.asIntN(32, idColumn(value, what)));
}

/** Position of a field or template, 32 bits. */
export function ordColumn(value: SqlValue | undefined, what: string): number {
  const ord = idColumn(value, what);
  if (BigInt.asUintN(32, ord) !== ord) throw wrongType(what, 'a position');
  return Number(ord);
}

export function textColumn(value: SqlValue | undefined, what: string): string {
  if (typeof value !== 'string') throw wrongType(what, 'a text');
  return value;
}

export function blobColumn(value: SqlValue | undefined, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(what, 'a blob');
  return value;
}

function wrongType(what: string, wanted: string): FormatError {
  return new FormatError(`The ${what} is not ${wanted}`);
}
