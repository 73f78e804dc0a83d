import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareUnicase, foldName } from './unicase.ts';

// Each pair was compared by the Rust crate itself.
const COMPARED: readonly (readonly [string, string, -1 | 0 | 1])[] = [
  ['Straße', 'STRASSE', 0],
  ['\ufb03', 'ffi', 1],
  ['\ufb03', 'iff', 0],
  ['ΣΑΣ', 'σας', 0],
  ['\u0130', 'i\u0307', 0],
  ['I', '\u0131', -1],
  ['a\x1fb', 'a b', -1],
  ['Z', '_', 1],
  ['\u1c90', '\u10d0', 0],
  ['\u13f8', '\u13f0', 0],
  ['\uff5e', '\u{1f600}', -1],
  ['\u00e9', 'e\u0301', 1],
  ['\u0390', '\u03b9\u0308\u0301', -1],
  ['\u212a', 'k', 0],
  ['', 'a', -1],
  ['Deck', 'DECK+', -1],
  ['a\0', 'A\0b', -1],
];

for (const [a, b, expected] of COMPARED) {
  const sign = ['comes before', 'is the same name as', 'comes after'][expected + 1];
  test(`${JSON.stringify(a)} ${sign} ${JSON.stringify(b)}`, () => {
    assert.equal(Math.sign(compareUnicase(a, b)), expected);
    assert.equal(Math.sign(compareUnicase(b, a)), expected === 0 ? 0 : -expected);
    assert.equal(foldName(a) === foldName(b), expected === 0);
  });
}

test('letters that got a small form after Unicode 12 stay as they are', () => {
  for (const letter of ['\u2c2f', '\ua7c0', '\ua7c7', '\ua7f5', '\u{10570}']) assert.equal(foldName(letter), letter);
});

test('1,487 code points fold to something else, which folds no further', () => {
  let foldedPoints = 0;
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    const key = foldName(character);
    if (key !== character) foldedPoints++;
    assert.equal(foldName(key), key, code.toString(16));
  }
  assert.equal(foldedPoints, 1383 + 104);
});

test('ASCII letters fold alike with and without other letters beside them', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (ascii) => {
      assert.equal(`${foldName(ascii)}日`, foldName(`${ascii}日`));
    }),
  );
});

const SIMILAR_NAMES = fc.string({
  unit: fc.oneof(
    fc.constantFrom('a', 'A', 'ß', 's', 'S', 'ſ', 'Σ', 'ς', '\ufb03', 'i', 'f', '\uff5e', '\u{1f600}', '\u{10400}'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 5,
});

test('the order is that of the folded code points, and zero exactly for equal keys', () => {
  const codePoints = (text: string) => Array.from(text, (character) => character.codePointAt(0) ?? 0);
  fc.assert(
    fc.property(SIMILAR_NAMES, SIMILAR_NAMES, (a, b) => {
      const [x, y] = [codePoints(foldName(a)), codePoints(foldName(b))];
      const at = x.findIndex((code, index) => code !== y[index]);
      const expected = at === -1 ? x.length - y.length : (x[at] ?? 0) - (y[at] ?? -1);
      assert.equal(Math.sign(compareUnicase(a, b)), Math.sign(expected));
      assert.equal(compareUnicase(a, b) === 0, foldName(a) === foldName(b));
    }),
    { numRuns: 1000 },
  );
});

test('sorting names never runs in circles', () => {
  fc.assert(
    fc.property(SIMILAR_NAMES, SIMILAR_NAMES, SIMILAR_NAMES, (a, b, c) => {
      assert.equal(Math.sign(compareUnicase(a, b)), 0 - Math.sign(compareUnicase(b, a)));
      if (compareUnicase(a, b) <= 0 && compareUnicase(b, c) <= 0) assert.ok(compareUnicase(a, c) <= 0);
    }),
    { numRuns: 1000 },
  );
});

test('a lone surrogate is compared as the replacement character that the database would store', () => {
  assert.equal(foldName('a\ud800'), 'a\ufffd');
  assert.equal(compareUnicase('\udc00', '\ufffd'), 0);
});
