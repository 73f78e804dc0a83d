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
  return parseScanned(text, Buffer.from(text));
}

/** The same from UTF-8; bytes that are no UTF-8 are a `FormatError` too. */
export function parseJsonBytes(bytes: Uint8Array): JsonValue {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new FormatError('The JSON is not valid UTF-8', { cause });
  }
  return parseScanned(text, bytes);
}

/**
 * Writes a value as Anki does: no white space, only the necessary escapes, floats with a fraction. Plain numbers that
 * are not exact integers are written as doubles. `sortKeys` orders the keys of every object by their UTF-8 bytes, as
 * Anki does in values that it does not know.
 */
export function stringifyJson(value: JsonValue, options?: { readonly sortKeys?: boolean }): string {
  const sortKeys = options?.sortKeys === true;
  return !sortKeys && isPlainValue(value) ? JSON.stringify(value) : write(value, sortKeys);
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

function parseScanned(text: string, bytes: Uint8Array): JsonValue {
  const scan = scanJson(bytes);
  if (scan.depth > jsonDepthMax) throw new FormatError(`The JSON is nested deeper than ${jsonDepthMax} levels`);
  const value = readNatively(text, scan.isPlain);
  if (!isWellFormed(text, value)) throw new FormatError('The JSON contains half of a surrogate pair');
  return value;
}

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
 * One pass over the UTF-8 before `JSON.parse`, which then need not call a function for every value: that makes messages
 * full of rows ten times faster to read. Nonsense may be judged either way; `JSON.parse` refuses it.
 */
function scanJson(bytes: Uint8Array): Scan {
  let depth = 0;
  let depthMax = 0;
  let isPlain = true;
  let at = 0;
  while (at < bytes.length) {
    const code = bytes[at] as number;
    if (code === quote) {
      at = endOfString(bytes, at);
    } else if (code >= zero && code <= nine) {
      const end = endOfDigits(bytes, at);
      const isMinusZero = code === zero && bytes[at - 1] === minus;
      if (isMinusZero || end - at >= 16 || isFractionMark(bytes[end])) isPlain = false;
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
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  for (; at < bytes.length && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++;
  return at + 1;
}

function endOfDigits(bytes: Uint8Array, start: number): number {
  let end = start + 1;
  for (let code = bytes[end]; code !== undefined && code >= zero && code <= nine; code = bytes[end]) end++;
  return end;
}

/** Full stop, `e` or `E`. */
function isFractionMark(code: number | undefined): boolean {
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

/**
 * Does `JSON.stringify` write the value as `write` does? It does when there are no numbers but safe integers and no half
 * pairs, and is four times as fast, which counts for messages full of rows.
 */
function isPlainValue(value: JsonValue): boolean {
  switch (typeof value) {
    case 'number':
      return Number.isSafeInteger(value);
    case 'string':
      return value.isWellFormed();
    case 'boolean':
      return true;
    case 'bigint':
      return false;
    default:
      if (value === null) return true;
      if (value instanceof JsonFloat) return false;
      return Array.isArray(value) ? value.every(isPlainValue) : Object.entries(value).every(isPlainMember);
  }
}

function isPlainMember([key, member]: [string, JsonValue]): boolean {
  return key.isWellFormed() && isPlainValue(member);
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
