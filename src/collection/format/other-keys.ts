import { FormatError } from './format-error.ts';
import { isJsonObject, type JsonObject, parseJsonBytes, stringifyJson } from './json.ts';

const utf8 = new TextEncoder();
const nothing = new Uint8Array(0);

/**
 * The unknown keys of an object, as kept in the `other` field of its blob. `reserved` keys are left out: they have a
 * place of their own. What cannot be read counts as nothing, as in Anki.
 */
export function readOther(bytes: Uint8Array, reserved: ReadonlySet<string>): JsonObject {
  return bytes.byteLength === 0 ? {} : withoutKeys(parseOther(bytes), reserved);
}

/** Unknown keys as the bytes of `other`: none at all for no keys, else JSON text with sorted keys. */
export function writeOther(keys: JsonObject): Uint8Array {
  return Object.keys(keys).length === 0 ? nothing : utf8.encode(stringifyJson(keys, { sortKeys: true }));
}

/** A copy of an object without some of its keys. */
export function withoutKeys(object: JsonObject, keys: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.has(key)));
}

/** A set of keys from their list, separated by blanks. */
export function keySet(keys: string): ReadonlySet<string> {
  return new Set(keys.split(' '));
}

function parseOther(bytes: Uint8Array): JsonObject {
  try {
    const value = parseJsonBytes(bytes);
    return isJsonObject(value) ? value : {};
  } catch (error) {
    if (error instanceof FormatError) return {};
    throw error;
  }
}
