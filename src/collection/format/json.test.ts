import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { FormatError } from './format-error.ts';
import {
  fractionOf,
  isJsonObject,
  JsonFloat,
  type JsonValue,
  memberOf,
  parseJson,
  parseJsonBytes,
  stringifyJson,
} from './json.ts';

const rewritten = (text: string) => stringifyJson(parseJson(text));

test('integers of 64 bits come back digit for digit', () => {
  const text = '[0,-1,9007199254740991,9007199254740993,-9223372036854775808,18446744073709551615,1795409603683]';
  assert.equal(rewritten(text), text);
  assert.deepEqual(parseJson(text), [0, -1, 2 ** 53 - 1, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 64n - 1n, 1795409603683]);
});

test('a number with fraction or exponent stays a fraction, even when whole', () => {
  assert.equal(rewritten('[1.0,1,1e2,-0,-0.0,0.00001,1E-7,1.5]'), '[1.0,1,100.0,-0.0,-0.0,0.00001,1e-7,1.5]');
  assert.deepEqual(parseJson('[1.0,1]'), [new JsonFloat(1), 1]);
  assert.equal(fractionOf(parseJson('-2.5')), -2.5);
  assert.equal(fractionOf(parseJson('2')), undefined);
});

test('an integer beyond 64 bits becomes a float, as in Anki', () => {
  assert.equal(
    rewritten('[18446744073709551616,-9223372036854775809]'),
    '[1.8446744073709552e19,-9.223372036854776e18]',
  );
});

test('keys with a meaning of their own in JavaScript are keys like all others', () => {
  const text = '{"10":1,"2":{"constructor":null,"hasOwnProperty":0},"__proto__":{"x":1.0},"":true,"toString":"a"}';
  const value = parseJson(text);
  assert.ok(isJsonObject(value));
  const sorted = '{"":true,"10":1,"2":{"constructor":null,"hasOwnProperty":0},"__proto__":{"x":1.0},"toString":"a"}';
  assert.equal(stringifyJson(value, { sortKeys: true }), sorted);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(memberOf(value, 'valueOf'), undefined);
  assert.deepEqual(memberOf(value, '__proto__'), { x: new JsonFloat(1) });
});

test('of equal keys the last one wins', () => {
  assert.equal(rewritten('{"a":1,"b":2,"a":3.0}'), '{"a":3.0,"b":2}');
});

test('what Anki cannot read is refused', () => {
  const bad = [
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    '01',
    '+1',
    '.5',
    '1.',
    'NaN',
    '[Infinity]',
    'nul',
    '1 2',
    '{}x',
    "{'a':1}",
    '"\n"',
  ];
  const unreadable = [
    ...bad,
    '\ufeff{}',
    '"\\ud800"',
    '{"\\udc00":1}',
    '["\\udc00\\ud800"]',
    '"\ud800"',
    '1e400',
    '[-1e400]',
  ];
  for (const text of unreadable) assert.throws(() => parseJson(text), FormatError, JSON.stringify(text));
  assert.throws(() => parseJson(`1${'0'.repeat(400)}`), FormatError);
  assert.equal(rewritten('"\\ud83d\\ude00 \\u0000"'), '"😀 \\u0000"');
});

test('nesting is refused from the 128th level on', () => {
  const nested = (levels: number) => `${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`;
  assert.equal(rewritten(nested(126)), nested(126));
  assert.equal(rewritten(`[${nested(126)}]`), `[${nested(126)}]`);
  assert.throws(() => parseJson(nested(128)), FormatError);
  assert.throws(() => parseJson('['.repeat(1_000_000)), FormatError);
  assert.equal(rewritten(`["${'['.repeat(200)}"]`), `["${'['.repeat(200)}"]`);
});

test('bytes that are no UTF-8 and a byte order mark are refused', () => {
  assert.throws(() => parseJsonBytes(Uint8Array.of(0x22, 0xff, 0x22)), FormatError);
  assert.throws(() => parseJsonBytes(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)), FormatError);
  assert.equal(parseJsonBytes(Buffer.from('"é"')), 'é');
});

test('text is escaped as little as in Anki', () => {
  assert.equal(
    stringifyJson('"\\\b\f\n\r\t\u0001\u001f/\u007f\u2028é😀'),
    '"\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/\u007f\u2028é😀"',
  );
});

test('sorted keys stand in the order of their UTF-8 bytes, at every depth', () => {
  assert.equal(
    stringifyJson(parseJson('{"😀":1,"～":{"b":1,"10":2,"a":3},"a":[{"z":1,"y":2}]}'), { sortKeys: true }),
    '{"a":[{"y":2,"z":1}],"～":{"10":2,"a":3,"b":1},"😀":1}',
  );
});

test('numbers that no JSON can hold become null, half surrogate pairs the replacement character', () => {
  assert.equal(
    stringifyJson([new JsonFloat(Number.NaN), Number.POSITIVE_INFINITY, 0.5, 2 ** 60]),
    '[null,null,0.5,1.152921504606847e18]',
  );
  assert.equal(stringifyJson('a\ud800'), '"a\ufffd"');
  assert.equal(stringifyJson([{ 'a\ud800': [1, 'b\udc00'] }]), '[{"a\ufffd":[1,"b\ufffd"]}]');
});

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new JsonFloat(value)),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
);
const anyKey = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', '', '10', '-1', 'a'),
  fc.string({ unit: 'grapheme' }),
);
const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(anyKey, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

test('every value comes back from its text as it was', () => {
  fc.assert(fc.property(anyValue, (value) => assert.deepEqual(parseJson(stringifyJson(value)), value)));
});

test('texts are read as JSON.parse reads them, but for numbers', () => {
  fc.assert(
    fc.property(fc.json({ depthSize: 'small', stringUnit: 'grapheme' }), (text) => {
      assert.deepEqual(withPlainNumbers(parseJson(text)), JSON.parse(text));
    }),
  );
});

function withPlainNumbers(value: JsonValue): unknown {
  if (value instanceof JsonFloat) return value.value;
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withPlainNumbers);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withPlainNumbers(member)]));
}
