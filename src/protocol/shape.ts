import { isJsonObject, type JsonObject, type JsonValue } from '../collection/format/json.ts';
import { SyncError } from '../errors.ts';
import type { ExactInteger } from '../storage/exact-rows.ts';

// Readers of the parts of a message. Each names the part in its refusal, changes nothing and fails with `malformedRequest`.

/** An object; its members are read with the other readers. */
export function asObject(value: JsonValue | undefined, what: string): JsonObject {
  if (!isJsonObject(value)) throw malformed(what, 'an object');
  return value;
}

/** A list of anything. */
export function asList(value: JsonValue | undefined, what: string): readonly JsonValue[] {
  if (!Array.isArray(value)) throw malformed(what, 'a list');
  return value;
}

/** A text. */
export function asText(value: JsonValue | undefined, what: string): string {
  if (typeof value !== 'string') throw malformed(what, 'a text');
  return value;
}

/** `true` or `false`. */
export function asBoolean(value: JsonValue | undefined, what: string): boolean {
  if (typeof value !== 'boolean') throw malformed(what, 'true or false');
  return value;
}

/** An integer from `min` to `max`, written without fraction or exponent. */
export function asInteger(value: JsonValue | undefined, what: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw malformed(what, `an integer from ${min} to ${max}`);
  }
  return value;
}

/** A signed 32-bit integer, such as a usn. */
export function asInt32(value: JsonValue | undefined, what: string): number {
  return asInteger(value, what, -0x8000_0000, 0x7fff_ffff);
}

/** A signed 64-bit integer, such as an id. */
export function asInt64(value: JsonValue | undefined, what: string): ExactInteger {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
  throw malformed(what, 'a 64-bit integer');
}

function malformed(what: string, wanted: string): SyncError {
  return new SyncError('malformedRequest', `Cannot read the message: ${what} is not ${wanted}`);
}
