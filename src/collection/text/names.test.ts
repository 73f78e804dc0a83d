import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cleanField,
  joinNoteTags,
  nativeToHuman,
  normalizeDeckName,
  normalizeNativeDeckName,
  normalizeTagName,
  splitNoteTags,
  uniqueName,
} from './names.ts';

const DECK_NAMES: Readonly<Record<string, string>> = {
  Default: 'Default',
  'A::::C': 'A\x1fblank\x1fC',
  'A:::B': 'A\x1fB',
  'A:::B:x: ': 'A\x1fB:x',
  '': 'blank',
  '::': 'blank\x1fblank',
  'A:B': 'A:B',
  ' : A : :: B\u00a0': 'A\x1fB',
  'A\x1fB': 'AB',
  'A\n\x7f B': 'A B',
  '\x01 A': 'A',
  'e\u0301': '\u00e9',
  'e\n\u0301': 'e\u0301',
  '\u0085A\u3000': 'A',
  '\ufeffA\u200b': '\ufeffA\u200b',
  'A\u0080B': 'A\u0080B',
};

for (const [human, native] of Object.entries(DECK_NAMES)) {
  test(`a deck called ${JSON.stringify(human)} is stored as ${JSON.stringify(native)}`, () => {
    assert.equal(normalizeDeckName(human), native);
  });
}

test('a stored deck name is cleaned level by level', () => {
  assert.equal(normalizeNativeDeckName(' A\x1f\x1fB: :'), 'A\x1fblank\x1fB');
  assert.equal(normalizeNativeDeckName('A::B'), 'A::B');
});

test('a stored deck name is shown with two colons between its levels', () => {
  assert.equal(nativeToHuman('A\x1fB\x1fC'), 'A::B::C');
});

test('a deck name without control characters is clean after one pass', () => {
  const unit = fc.constantFrom('a', ':', ' ', '\u0085', '\ufeff', '\u3000', '\u{1f600}');
  fc.assert(
    fc.property(fc.string({ unit }), (human) => {
      const native = normalizeDeckName(human);
      assert.equal(normalizeNativeDeckName(native), native);
      assert.equal(normalizeDeckName(nativeToHuman(native)), native);
    }),
    { numRuns: 1000 },
  );
});

const TAG_NAMES: Readonly<Record<string, string>> = {
  verb: 'verb',
  'two words': 'twowords',
  'full\u3000width': 'fullwidth',
  'a::::b': 'a::blank::b',
  '': 'blank',
  '\u00a0a\u00a0b\u0085': 'a\u00a0b',
  'a:::b:': 'a:::b:',
  'e\u0301\x1f': '\u00e9',
  'e\x1f\u0301': 'e\u0301',
};

for (const [text, tag] of Object.entries(TAG_NAMES)) {
  test(`the tag ${JSON.stringify(text)} is registered as ${JSON.stringify(tag)}`, () => {
    assert.equal(normalizeTagName(text), tag);
  });
}

test('a name that is taken grows until it is free', () => {
  const taken = new Set(['Basic', 'Basic+']);
  assert.equal(
    uniqueName('Basic', '+', (name) => taken.has(name)),
    'Basic++',
  );
  assert.equal(
    uniqueName('Cloze', '+', (name) => taken.has(name)),
    'Cloze',
  );
});

test('tags of a note are split at blanks of both widths and kept in order, doubles included', () => {
  assert.deepEqual(splitNoteTags(' b  a\u3000b\u00a0c '), ['b', 'a', 'b\u00a0c']);
  assert.deepEqual(splitNoteTags(''), []);
  assert.equal(joinNoteTags(['b', 'a', 'b']), ' b a b ');
  assert.equal(joinNoteTags([]), '');
});

test('a synced field loses control characters, but no line feed, tab or combining character', () => {
  assert.equal(cleanField('a\0b\x1f\r\n\tc\x7f\u0080e\u0301'), 'ab\n\tc\u0080e\u0301');
});

test('a name of a million blanks is cleaned at once', () => {
  const before = process.threadCpuUsage();
  assert.equal(normalizeDeckName(`${'a'.padEnd(500_000)}b${' '.repeat(500_000)}`).length, 500_001);
  assert.ok(process.threadCpuUsage(before).user < 1_000_000);
});
