import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkPortionBytes, chunkPortionsMax } from '../limits.ts';
import { hasRoom, portionsOfNext, type SentChunks } from './chunk-size.ts';

/** The sizes of the chunks that a client gets which takes so long from one to the next, milliseconds. */
function portionsFor(pausesMs: readonly number[]): number[] {
  let sent: SentChunks = { count: 0, portions: 1, askedMs: 0 };
  return pausesMs.map((pauseMs) => {
    const nowMs = sent.askedMs + pauseMs;
    const portions = portionsOfNext(sent, nowMs);
    sent = { count: sent.count + 1, portions, askedMs: nowMs };
    return portions;
  });
}

test('the first four chunks are as small as all clients know them, then they double up to a bound', () => {
  assert.deepEqual(portionsFor(Array.from({ length: 9 }, () => 100)), [1, 1, 1, 1, 2, 4, 8, 8, 8]);
});

test('a client that takes long for a chunk gets smaller ones, and larger ones again when it is quick', () => {
  const [quick, slow] = [200, 6_000];
  const pauses = [quick, quick, quick, quick, slow, quick, quick, quick, slow, slow, quick];
  assert.deepEqual(portionsFor(pauses), [1, 1, 1, 1, 1, 2, 4, 8, 4, 2, 4]);
  assert.deepEqual(portionsFor(Array.from({ length: 8 }, () => slow)), [1, 1, 1, 1, 1, 1, 1, 1]);
});

test('no chunk is more than twice as large as one that the client took well', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 60 }), (pausesMs) => {
      const portions = portionsFor(pausesMs);
      portions.forEach((each, at) => {
        assert.ok(each >= 1 && each <= chunkPortionsMax && each <= 2 * (portions[at - 1] ?? 1));
      });
    }),
  );
});

test('a chunk has room for one portion of any size, and for more until their number or their bytes are reached', () => {
  assert.equal(hasRoom(1, { portions: 0, bytes: 0 }), true);
  assert.equal(hasRoom(1, { portions: 1, bytes: 10 }), false);
  assert.equal(hasRoom(8, { portions: 7, bytes: 8 * chunkPortionBytes - 1 }), true);
  assert.equal(hasRoom(8, { portions: 1, bytes: 8 * chunkPortionBytes }), false);
  assert.equal(hasRoom(8, { portions: 8, bytes: 10 }), false);
});
