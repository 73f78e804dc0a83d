import { MULTIPLE_FOLDS, SINGLE_FOLDS } from './unicase-table.ts';

/**
 * What the collation `unicase` sees of a name: two names are the same to Anki exactly when their keys are equal.
 * The key is for comparing only and never shown or stored. Lone surrogates count as U+FFFD, as which they are stored.
 */
export function foldName(name: string): string {
  if (isAscii(name)) return name.toLowerCase();
  let key = '';
  for (const character of name.toWellFormed()) key += FOLDS.get(character) ?? character;
  return key;
}

/**
 * Order of the collation `unicase`: negative, zero or positive as SQLite expects it. By code points of the folded
 * names, so no locale and no normalisation plays a part; a name that continues another one comes after it.
 */
export function compareUnicase(a: string, b: string): number {
  const keyA = foldName(a);
  const keyB = foldName(b);
  if (keyA === keyB) return 0;
  const unitsMax = Math.min(keyA.length, keyB.length);
  for (let at = 0; at < unitsMax; at++) {
    const unitA = keyA.charCodeAt(at);
    const unitB = keyB.charCodeAt(at);
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB);
  }
  return keyA.length - keyB.length;
}

function isAscii(text: string): boolean {
  return !/\P{ASCII}/u.test(text);
}

/** The first differing UTF-16 unit decides like the code point, once surrogates rank above U+E000 to U+FFFF. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

const FOLDS: ReadonlyMap<string, string> = readFolds();

function readFolds(): Map<string, string> {
  const folds = new Map<string, string>();
  for (const entry of SINGLE_FOLDS.trim().split(/\s+/)) {
    const { first, last, step, delta } = parseSingle(entry);
    for (let code = first; code <= last; code += step) {
      folds.set(String.fromCodePoint(code), String.fromCodePoint(code + delta));
    }
  }
  for (const entry of MULTIPLE_FOLDS.trim().split(/\s+/)) {
    const [code = '', targets = ''] = entry.split('=');
    folds.set(fromHex(code), targets.split('+').map(fromHex).join(''));
  }
  return folds;
}

function parseSingle(entry: string): { first: number; last: number; step: number; delta: number } {
  const found = /^(?<first>[0-9a-f]+)(?:\.\.(?<last>[0-9a-f]+))?(?:\/(?<step>\d))?(?<delta>[+-][0-9a-f]+)$/.exec(entry);
  const { first = '', last = first, step = '1', delta = '' } = found?.groups ?? {};
  const sign = delta.startsWith('-') ? -1 : 1;
  return {
    first: Number.parseInt(first, 16),
    last: Number.parseInt(last, 16),
    step: Number.parseInt(step, 16),
    delta: sign * Number.parseInt(delta.slice(1), 16),
  };
}

function fromHex(hex: string): string {
  return String.fromCodePoint(Number.parseInt(hex, 16));
}
