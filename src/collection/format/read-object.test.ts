import assert from 'node:assert/strict';
import test from 'node:test';
import { JsonFloat, type JsonValue } from './json.ts';
import { asBoolFromAnything, asI32OrText, asI64OrText } from './read-object.ts';

test('truth comes in many forms', () => {
  const yes: JsonValue[] = [true, 1, new JsonFloat(1), 'true', 'TRUE', 'True', '1', '01', '1.00', '1e0', '+1'];
  const no: JsonValue[] = [false, 0, new JsonFloat(0), new JsonFloat(-0), 'false', 'FALSE', '0', '0.0', '-0'];
  const neither: JsonValue[] = [
    null,
    2,
    -1,
    new JsonFloat(0.5),
    '',
    ' true',
    'yes',
    '2',
    'NaN',
    '1 ',
    '0x1',
    [],
    {},
    [true],
  ];
  for (const value of yes) assert.equal(asBoolFromAnything(value), true, String(value));
  for (const value of no) assert.equal(asBoolFromAnything(value), false, String(value));
  for (const value of neither) assert.equal(asBoolFromAnything(value), undefined, String(value));
});

test('a number may be a text of decimal digits, in range', () => {
  const numbers: [JsonValue, bigint | undefined][] = [
    ['12', 12n],
    ['-1', -1n],
    ['+1', 1n],
    ['0012', 12n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['9223372036854775808', undefined],
    ['-9223372036854775808', -(2n ** 63n)],
    [2n ** 63n - 1n, 2n ** 63n - 1n],
    [2n ** 63n, undefined],
    ['1.0', undefined],
    ['', undefined],
    [' 1', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['+', undefined],
    ['--1', undefined],
    [new JsonFloat(1), undefined],
    [true, undefined],
    [null, undefined],
  ];
  for (const [value, expected] of numbers) assert.equal(asI64OrText(value), expected, String(value));
  assert.equal(asI32OrText('2147483648'), undefined);
  assert.equal(asI32OrText('-2147483648'), -(2 ** 31));
});
