import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { doubleText, floatText } from './number-text.ts';

test('32-bit floats are written with the fewest digits that name them', () => {
  const texts: [number, string][] = [
    [0.1, '0.1'],
    [16777217, '16777216.0'],
    [123456.79, '123456.79'],
    [1e12, '1000000000000.0'],
    [1e13, '1e13'],
    [1e-6, '0.000001'],
    [1e-7, '1e-7'],
    [0.00001, '0.00001'],
    [36500, '36500.0'],
    [0, '0.0'],
    [-0, '-0.0'],
    [-1.5e-9, '-1.5e-9'],
    [3.4028235e38, '3.4028235e38'],
    [1e-45, '1e-45'],
  ];
  for (const [value, text] of texts) assert.equal(floatText(Math.fround(value)), text);
});

test('of two equally near texts of a 32-bit float the even one is taken', () => {
  assert.equal(floatText(1865129.25), '1865129.2');
  assert.equal(floatText(1865129.75), '1865129.8');
  assert.equal(floatText(-1323041.25), '-1323041.2');
});

test('doubles have a fraction or an exponent, too', () => {
  const texts: [number, string][] = [
    [1, '1.0'],
    [100, '100.0'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e16'],
    [0.00001, '0.00001'],
    [0.000009, '9e-6'],
    [0.1 + 0.2, '0.30000000000000004'],
    [5e-324, '5e-324'],
    [-123.25, '-123.25'],
    [1.7976931348623157e308, '1.7976931348623157e308'],
  ];
  for (const [value, text] of texts) assert.equal(doubleText(value), text);
});

test('no text stands for a value that is no number', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.equal(doubleText(value), 'null');
    assert.equal(floatText(value), 'null');
  }
});

test('a text reads back to the number it was made from', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.equal(Math.fround(Number(floatText(value))), value);
    }),
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.equal(Number(doubleText(value)), value);
      assert.match(doubleText(value), /[.e]/);
    }),
  );
});
