import { jsonDepthMax } from '../../limits.ts';
import { FormatError } from './format-error.ts';
import { doubleText, floatText } from './number-text.ts';

/**
 * JSON without losses. A plain number read from JSON is always an integer that a double holds exactly; larger integers
 * of 64 bits are bigints; what was written with a fraction or an exponent is a `JsonFloat`, because `1.0` and `1` are
 * different things to Anki: it refuses a fraction where an integer belongs.
 */
export type JsonValue = null | boolean | number | bigint | string | JsonFloat | JsonValue[] | JsonObject;

/**
 * An ordinary object; every own key is data. Keys come from outside and may be `__proto__` or `constructor`: read keys
 * that are not literals in the code with `Object.entries` or `memberOf`, and build such objects with
 * `Object.fromEntries` or spread, never by assignment.
 */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** A number that is written with a fraction or an exponent even when it is whole. */
export class JsonFloat {
  readonly value: number;
  readonly precision: 'single' | 'double';

  /** `single` prints the shortest digits of a 32-bit float: for values that Anki keeps in one. */
  constructor(value: number, precision: 'single' | 'double' = 'double') {
    this.value = value;
    this.precision = precision;
  }

  /** The JSON text, `null` for what JSON cannot say. */
  toString(): string {
    return this.precision === 'single' ? floatText(this.value) : doubleText(this.value);
  }
}

const i64Min = -(2n ** 63n);
const u64Max = 2n ** 64n - 1n;
/** More digits than any 64-bit integer has, and enough to stay away from slow conversions of absurd ones. */
const integerCharsMax = 20;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one JSON value. Of equal keys the last wins; integers beyond 64 bits become floats, as in Anki. Throws
 * `FormatError` for anything that Anki's reader refuses: text after the value, a byte order mark, `NaN`, numbers too
 * large for a double, half surrogate pairs, nesting deeper than `jsonDepthMax`.
 */
export function parseJson(text: string): JsonValue {
  const scan = scanJson(text);
  if (scan.depth > jsonDepthMax) throw new FormatError(`The JSON is nested deeper than ${jsonDepthMax} levels`);
  const value = readNatively(text, scan.isPlain);
  if (!isWellFormed(text, value)) throw new FormatError('The JSON contains half of a surrogate pair');
  return value;
}

/** The same from UTF-8; bytes that are no UTF-8 are a `FormatError` too. */
export function parseJsonBytes(bytes: Uint8Array): JsonValue {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new FormatError('The JSON is not valid UTF-8', { cause });
  }
  return parseJson(text);
}

/**
 * Writes a value as Anki does: no white space, only the necessary escapes, floats with a fraction. Plain numbers that
 * are not exact integers are written as doubles. `sortKeys` orders the keys of every object by their UTF-8 bytes, as
 * Anki does in values that it does not know.
 */
export function stringifyJson(value: JsonValue, options?: { readonly sortKeys?: boolean }): string {
  return write(value, options?.sortKeys === true);
}

/** Is it a JSON object: not a list, not null, not a float? */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonFloat);
}

/** An own member; what objects inherit does not count. */
export function memberOf(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The value of a number that was written with a fraction or an exponent; undefined for all else. */
export function fractionOf(value: JsonValue | undefined): number | undefined {
  return value instanceof JsonFloat ? value.value : undefined;
}

/** A 64-bit integer in the form in which `parseJson` gives it: a number where that is exact, else a bigint. */
export function jsonInteger(value: bigint | number): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
/** The library's types do not know yet that a reviver hears the source text of every primitive value. */
const parseWithSource = JSON.parse as (text: string, reviver?: Reviver) => unknown;

function readNatively(text: string, isPlain: boolean): JsonValue {
  try {
    // The cast holds: a text without special numbers yields only null, booleans, strings, exact integers, lists, objects.
    return parseWithSource(text, isPlain ? undefined : exactNumber) as JsonValue;
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`The text is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function exactNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  const source = context.source;
  if (!/[.eE]/.test(source) && source !== '-0' && source.length <= integerCharsMax) {
    if (Number.isSafeInteger(value)) return value;
    const exact = BigInt(source);
    if (exact >= i64Min && exact <= u64Max) return exact;
  }
  if (!Number.isFinite(value)) throw new FormatError('The JSON contains a number that is too large');
  return new JsonFloat(value);
}

interface Scan {
  readonly depth: number;
  /** No number that `JSON.parse` alone would change: fraction, exponent, `-0`, 16 digits or more. */
  readonly isPlain: boolean;
}

/**
 * One pass over the text before `JSON.parse`, which then need not call a function for every value: that makes messages
 * full of rows ten times faster to read. Nonsense may be judged either way; `JSON.parse` refuses it.
 */
function scanJson(text: string): Scan {
  let depth = 0;
  let depthMax = 0;
  let isPlain = true;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
    } else if (code >= zero && code <= nine) {
      const end = endOfDigits(text, at);
      const isMinusZero = code === zero && text.charCodeAt(at - 1) === minus;
      isPlain &&= end - at < 16 && !isMinusZero && !isFractionMark(text.charCodeAt(end));
      at = end;
    } else {
      if (code === openList || code === openObject) depthMax = Math.max(depthMax, ++depth);
      else if (code === closeList || code === closeObject) depth--;
      at++;
    }
  }
  return { depth: depthMax, isPlain };
}

const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

/** Position after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
    let escapes = end;
    while (text.charCodeAt(escapes - 1) === backslash) escapes--;
    if ((end - escapes) % 2 === 0) return end + 1;
  }
}

function endOfDigits(text: string, start: number): number {
  let end = start + 1;
  for (let code = text.charCodeAt(end); code >= zero && code <= nine; code = text.charCodeAt(end)) end++;
  return end;
}

/** Full stop, `e` or `E`. */
function isFractionMark(code: number): boolean {
  return code === 0x2e || code === 0x65 || code === 0x45;
}

/** Half pairs can only come from the text itself or from an escape, so most texts need no look at their values. */
function isWellFormed(text: string, value: JsonValue): boolean {
  if (!text.isWellFormed()) return false;
  return !/\\u[dD][89a-fA-F]/.test(text) || hasWellFormedStrings(value);
}

function hasWellFormedStrings(value: JsonValue): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (Array.isArray(value)) return value.every(hasWellFormedStrings);
  if (!isJsonObject(value)) return true;
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && hasWellFormedStrings(member));
}

function write(value: JsonValue, sortKeys: boolean): string {
  switch (typeof value) {
    case 'string':
      // Half pairs cannot come from JSON or SQLite; one from elsewhere must not make the text unreadable to Anki.
      return JSON.stringify(value.isWellFormed() ? value : value.toWellFormed());
    case 'number':
      return Number.isSafeInteger(value) ? String(value) : doubleText(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (value === null) return 'null';
      if (value instanceof JsonFloat) return value.toString();
      return Array.isArray(value) ? writeList(value, sortKeys) : writeObject(value, sortKeys);
  }
}

function writeList(list: JsonValue[], sortKeys: boolean): string {
  let text = '[';
  for (const item of list) text += (text === '[' ? '' : ',') + write(item, sortKeys);
  return `${text}]`;
}

function writeObject(object: JsonObject, sortKeys: boolean): string {
  const entries = Object.entries(object);
  if (sortKeys) entries.sort(([a], [b]) => compareBytes(a, b));
  let text = '{';
  for (const [key, member] of entries)
    text += `${text === '{' ? '' : ','}${write(key, false)}:${write(member, sortKeys)}`;
  return `${text}}`;
}

/** Order of the UTF-8 bytes, which is the order of the code points and not that of UTF-16 units. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
