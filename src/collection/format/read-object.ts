import { FormatError } from './format-error.ts';
import { fractionOf, isJsonObject, type JsonObject, type JsonValue, memberOf } from './json.ts';

/** Turns a JSON value into what the code uses; undefined when it has the wrong type or is out of range. */
export type Check<T> = (value: JsonValue) => T | undefined;

/**
 * Reads the members of one of Anki's JSON objects. Anki knows four kinds of members, by what happens when the key is
 * missing and when its value has the wrong type; "refused" is a `FormatError` that names the object and the key.
 */
export class ObjectReader {
  readonly object: JsonObject;
  readonly #what: string;

  /** Refuses values that are no objects. `what` names the object in errors: `field 2 of notetype 123`. */
  constructor(value: JsonValue, what: string) {
    if (!isJsonObject(value)) throw new FormatError(`The ${what} is not a JSON object`);
    this.object = value;
    this.#what = what;
  }

  /** Missing: refused. Wrong type: refused. */
  required<T>(key: string, check: Check<T>): T {
    return this.#checked(key, this.#present(key), check);
  }

  /** Missing: refused. Wrong type: `otherwise`. */
  requiredLenient<T>(key: string, check: Check<T>, otherwise: T): T {
    return check(this.#present(key)) ?? otherwise;
  }

  /** Missing: `otherwise`. Wrong type: refused. */
  optional<T>(key: string, check: Check<T>, otherwise: T): T {
    const value = memberOf(this.object, key);
    return value === undefined ? otherwise : this.#checked(key, value, check);
  }

  /** Missing or wrong type: `otherwise`. */
  lenient<T>(key: string, check: Check<T>, otherwise: T): T {
    const value = memberOf(this.object, key);
    return value === undefined ? otherwise : (check(value) ?? otherwise);
  }

  #present(key: string): JsonValue {
    const value = memberOf(this.object, key);
    if (value === undefined) throw new FormatError(`The ${this.#what} has no "${key}"`);
    return value;
  }

  #checked<T>(key: string, value: JsonValue, check: Check<T>): T {
    const checked = check(value);
    if (checked === undefined) throw new FormatError(`The ${this.#what} has a wrong value for "${key}"`);
    return checked;
  }
}

/** An integer in a range that a number holds; a fraction is none, not even `1.0`. */
export function integer(min: number, max: number): Check<number> {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
}

export const asI32 = integer(-(2 ** 31), 2 ** 31 - 1);
export const asU32 = integer(0, 2 ** 32 - 1);
export const asU16 = integer(0, 2 ** 16 - 1);
export const asU8 = integer(0, 2 ** 8 - 1);

/** Any signed 64-bit integer. */
export function asI64(value: JsonValue): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : undefined;
}

/** A 64-bit integer, or a text of one with optional sign: ids of old releases. */
export function asI64OrText(value: JsonValue): bigint | undefined {
  return typeof value === 'string' ? asI64(integerOfText(value) ?? null) : asI64(value);
}

/** The same with 32 bits. */
export function asI32OrText(value: JsonValue): number | undefined {
  const exact = asI64OrText(value);
  return exact === undefined ? undefined : asI32(Number(exact));
}

/** A time in seconds, 64 bits in Anki; absurd ones are cut to what a number holds exactly. */
export function asSecs(value: JsonValue): number | undefined {
  return secsOf(asI64(value));
}

/** The same, or a text of it. */
export function asSecsOrText(value: JsonValue): number | undefined {
  return secsOf(asI64OrText(value));
}

/** A number as a 32-bit float; integers will do. */
export function asF32(value: JsonValue): number | undefined {
  const number = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : fractionOf(value);
  return number === undefined ? undefined : Math.fround(number);
}

export function asText(value: JsonValue): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function asBool(value: JsonValue): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** A truth value in any of the forms that releases and add-ons have used: `true`, `1`, `1.0`, `"1"`, `"True"`. */
export function asBoolFromAnything(value: JsonValue): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
  const number = typeof value === 'string' ? numberOfText(value) : (fractionOf(value) ?? value);
  return number === 1 ? true : number === 0 ? false : undefined;
}

/** A list whose items all pass. */
export function listOf<T>(check: Check<T>): Check<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    const items: T[] = [];
    for (const item of value) {
      const checked = check(item);
      if (checked === undefined) return undefined;
      items.push(checked);
    }
    return items;
  };
}

/** Also takes null, as null. */
export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value) => (value === null ? null : check(value));
}

function integerOfText(text: string): bigint | undefined {
  // Longer texts are out of range unless they begin with zeros, which no program writes.
  return /^[+-]?\d{1,40}$/.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined;
}

function numberOfText(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

function secsOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : safeNumber(value);
}

/** The nearest integer that a number holds exactly. */
export function safeNumber(value: bigint): number {
  return Math.min(Math.max(Number(value), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}
