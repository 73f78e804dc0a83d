import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { deflateRawSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { looksPacked, StoredFrame } from './zstd-stored.ts';

test('every zstd library reads such a frame, in whatever pieces the content came', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 600_000 }),
      fc.array(fc.integer({ min: 1, max: 300_000 }), { maxLength: 5 }),
      (contentBytes, cuts) => {
        const content = randomBytes(contentBytes);
        const frame = new StoredFrame(contentBytes);
        const parts: Uint8Array[] = [frame.head];
        let at = 0;
        for (const cut of [...cuts, contentBytes]) {
          parts.push(...frame.blocks(content.subarray(at, at + cut)));
          at = Math.min(at + cut, contentBytes);
        }
        assert.ok(zstdDecompressSync(Buffer.concat(parts)).equals(content));
      },
    ),
    { numRuns: 30 },
  );
});

test('a frame that lacks its last byte is not read as a whole one, and one takes no more than was announced', () => {
  const frame = new StoredFrame(10);
  const bytes = Buffer.concat([frame.head, ...frame.blocks(Buffer.alloc(9))]);
  assert.throws(() => zstdDecompressSync(bytes));
  assert.throws(() => frame.blocks(Buffer.alloc(2)), RangeError);
});

test('what is compressed already is told from what is not', () => {
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, at) => `line ${at * 7919} of something\n`).join(''));
  const wave = Buffer.alloc(400_000);
  for (let at = 0; at + 2 <= wave.length; at += 2) wave.writeInt16LE(Math.round(9000 * Math.sin(at / 50)), at);
  const zip = Buffer.concat(Array.from({ length: 25 }, () => randomBytes(20_000)));
  assert.equal(looksPacked(randomBytes(4096)), true);
  assert.equal(looksPacked(zip), true);
  assert.equal(looksPacked(deflateRawSync(randomBytes(100_000).toString('base64'))), true);
  assert.equal(looksPacked(text), false);
  assert.equal(looksPacked(wave), false);
  assert.equal(looksPacked(Buffer.from(randomBytes(100_000).toString('base64'))), false);
  assert.equal(looksPacked(Buffer.concat([randomBytes(100_000), text])), false, 'a good part of it shrinks');
  assert.equal(looksPacked(randomBytes(100)), false, 'too little to tell');
  assert.equal(looksPacked(Buffer.alloc(0)), false);
});
