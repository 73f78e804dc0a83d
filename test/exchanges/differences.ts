import { isDeepStrictEqual } from 'node:util';

/** How many places are listed before the rest is only counted. */
const placesMax = 12;

/**
 * Where two values differ, one line a place: path, what there is, what there should be. Empty when they are equal.
 * Far easier to read than one assertion over a whole collection.
 */
export function differences(actual: unknown, expected: unknown): readonly string[] {
  const places: string[] = [];
  collect(actual, expected, '', places);
  return places.length <= placesMax
    ? places
    : [...places.slice(0, placesMax), `… and ${places.length - placesMax} places more`];
}

function collect(actual: unknown, expected: unknown, path: string, places: string[]): void {
  if (isDeepStrictEqual(actual, expected)) return;
  if (Array.isArray(actual) && Array.isArray(expected)) {
    for (let index = 0; index < Math.max(actual.length, expected.length); index++) {
      collect(
        index in actual ? actual[index] : missing,
        index in expected ? expected[index] : missing,
        `${path}[${index}]`,
        places,
      );
    }
  } else if (isPlain(actual) && isPlain(expected)) {
    for (const key of new Set([...Object.keys(actual), ...Object.keys(expected)])) {
      collect(
        Object.hasOwn(actual, key) ? actual[key] : missing,
        Object.hasOwn(expected, key) ? expected[key] : missing,
        `${path}.${key}`,
        places,
      );
    }
  } else {
    places.push(`${path || 'all'}: ${show(actual)} instead of ${show(expected)}`);
  }
}

const missing = Symbol('nothing');

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('rawJSON' in value);
}

function show(value: unknown): string {
  if (value === missing) return 'nothing';
  if (typeof value === 'bigint') return `${value}n`;
  const text = JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner));
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
