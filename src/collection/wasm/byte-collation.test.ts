import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareUnicase } from '../text/unicase.ts';
import { compareUnicaseBytes } from './byte-collation.ts';

const encoder = new TextEncoder();
const letters = fc.constantFrom(...'aAbBzZ_[`{@ sSkK\u0000\u001fßẞſﬃKéÉ\uFEFF\u00A0Ωω～😀𐐀𐐨');
const names = fc.oneof(
  fc.array(letters, { maxLength: 8 }).map((list) => list.join('')),
  fc.string({ unit: 'binary' }),
);

test('bytes are compared like the texts that they stand for', () => {
  fc.assert(
    fc.property(names, names, (a, b) => {
      assert.equal(
        Math.sign(compareUnicaseBytes(encoder.encode(a), encoder.encode(b))),
        Math.sign(compareUnicase(a, b)),
        JSON.stringify([a, b]),
      );
    }),
    { numRuns: 3000 },
  );
});

test('bytes that are no UTF-8 count as replacement characters', () => {
  assert.equal(compareUnicaseBytes(Uint8Array.of(0x41, 0xff), encoder.encode('a\uFFFD')), 0);
});
