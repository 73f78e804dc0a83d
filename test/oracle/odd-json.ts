import { exactInteger, type Json, type NumberText, parseLossless } from '../exchanges/lossless-json.ts';
import type { Random } from '../support/random.ts';

/** Values of all types and sizes. */
const oddValues: readonly Json[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  2,
  256,
  65536,
  2 ** 31,
  2 ** 32,
  exactInteger(2n ** 63n - 1n),
  exactInteger(2n ** 63n),
  0.5,
  -0.5,
  1e300,
  parseLossless('1.0'),
  parseLossless('1e3'),
  '',
  'text',
  '12',
  '-1',
  [],
  [1],
  {},
  { key: 1 },
];

/**
 * The value with one thing in it changed: a value replaced, a key or an element removed or doubled. Places whose path,
 * such as `chunk/cards/0/17`, matches `except` stay as they are; lists whose path matches `rows` keep their length.
 */
export function odd(random: Random, value: Json, { except, rows }: { except: RegExp; rows: RegExp }): Json {
  const places = placesIn(value).filter((place) => !except.test(place.join('/')));
  const place = random.pick(places);
  const isInRow = rows.test(place.slice(0, -1).join('/'));
  return changedAt(value, place, (old, isElement) => {
    if (isInRow) return [random.pick(oddValues)];
    const change = random.weighted({
      replace: 6,
      remove: 2,
      double: isElement ? 1 : 0,
      negate: typeof old === 'number' ? 1 : 0,
    });
    if (change === 'remove') return [];
    if (change === 'double') return [old, old];
    if (change === 'negate') return [-Number(old) - 1];
    return [random.pick(oddValues)];
  });
}

type Place = readonly (string | number)[];

/** Every place in the value but the whole, so deep that the places of large objects do not crowd out the others. */
function placesIn(value: Json, place: Place = []): Place[] {
  if (value === null || typeof value !== 'object' || isNumberText(value)) return [place];
  const inner = Object.entries(value).flatMap(([key, member]) =>
    placesIn(member, [...place, Array.isArray(value) ? Number(key) : key]),
  );
  return place.length === 0 ? inner : [place, ...inner];
}

function changedAt(
  value: Json,
  [step, ...rest]: Place,
  change: (old: Json, isElement: boolean) => readonly Json[],
): Json {
  if (step === undefined || value === null || typeof value !== 'object') return value;
  const within = (member: Json, isElement: boolean): readonly Json[] =>
    rest.length === 0 ? change(member, isElement) : [changedAt(member, rest, change)];
  if (Array.isArray(value)) return value.flatMap((member, index) => (index === step ? within(member, true) : [member]));
  const object: { [key: string]: Json } = {};
  for (const [key, member] of Object.entries(value)) {
    const [kept] = key === step ? within(member, false) : [member];
    // Not by assignment: a key may be `__proto__`.
    if (kept !== undefined) Object.defineProperty(object, key, { value: kept, enumerable: true, configurable: true });
  }
  return object;
}

function isNumberText(value: Json): value is NumberText {
  return typeof value === 'object' && value !== null && 'rawJSON' in value;
}
