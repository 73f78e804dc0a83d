import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { differences } from './differences.ts';
import { exactInteger, parseLossless } from './lossless-json.ts';

test('every number comes back as it was written', () => {
  for (const text of [
    '1',
    '1.0',
    '-0',
    '1e3',
    '9223372036854775807',
    '-9007199254740993',
    '0.1',
    '1E-7',
    '123456.70',
  ]) {
    assert.equal(JSON.stringify(parseLossless(`{"a":[${text}]}`)), `{"a":[${text}]}`);
  }
});

test('numbers that were written differently differ, and equal ones do not', () => {
  assert.deepEqual(differences(parseLossless('[1]'), parseLossless('[1.0]')), ['[0]: 1 instead of 1.0']);
  assert.equal(differences(parseLossless('9007199254740993'), parseLossless('9007199254740992')).length, 1);
  assert.deepEqual(differences(parseLossless('{"a":9007199254740993}'), { a: exactInteger(9007199254740993n) }), []);
});

test('keys of every spelling are kept and compared', () => {
  const text = '{"__proto__":1,"constructor":2,"10":3}';
  assert.deepEqual(Object.keys(parseLossless(text) as object).sort(), ['10', '__proto__', 'constructor']);
  assert.deepEqual(differences(parseLossless(text), parseLossless('{"constructor":2,"10":3}')), [
    '.__proto__: 1 instead of nothing',
  ]);
});

test('a difference is found exactly where two values are not equal', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const [a, b] = [JSON.stringify(one), JSON.stringify(other)].map(parseLossless);
      assert.deepEqual(differences(a, parseLossless(JSON.stringify(a))), []);
      assert.equal(differences(a, b).length === 0, JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
    }),
  );
});

/** With keys in one order, so that equal values have equal texts, and others, such as `{}` and `[]`, have not. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || 'rawJSON' in value) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return { entries: entries.map(([key, inner]) => [key, sorted(inner)]) };
}
