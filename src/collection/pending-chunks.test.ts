import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ExactInteger } from '../storage/exact-rows.ts';
import { takeIds } from './pending-chunks.ts';
import type { PendingIds } from './rows.ts';

const ids = (count: number, first: number) => Array.from({ length: count }, (_, index) => first + index);
const pendingOf = (revlog: number, notes: number, cards: number): PendingIds => ({
  revlog: ids(revlog, 1_000_000),
  notes: ids(notes, 2_000_000),
  cards: ids(cards, 3_000_000),
});

test('the chunks of a sync hold every object exactly once and end with the first one that is done', () => {
  const count = fc.integer({ min: 0, max: 400 });
  fc.assert(
    fc.property(count, count, count, fc.integer({ min: 1, max: 60 }), (revlog, notes, cards, budget) => {
      const pending = pendingOf(revlog, notes, cards);
      const seen: ExactInteger[] = [];
      for (let done = false; !done; ) {
        const step = takeIds(pending, budget);
        const taken = Object.values(step.taken).flat();
        assert.ok(taken.length <= budget + 2);
        seen.push(...taken);
        done = step.done;
      }
      assert.equal(seen.length, revlog + notes + cards);
      assert.equal(new Set(seen).size, seen.length);
    }),
  );
});

test('exactly 250 objects fill one chunk that is not done, and an empty one follows; 249 are done at once', () => {
  const full = pendingOf(250, 0, 0);
  assert.equal(takeIds(full, 250).done, false);
  assert.deepEqual(takeIds(full, 250), { taken: { revlog: [], notes: [], cards: [] }, done: true });
  assert.equal(takeIds(pendingOf(249, 0, 0), 250).done, true);
});

test('the newest objects go first, one of each kind in turn', () => {
  const { taken } = takeIds(pendingOf(3, 3, 1), 4);
  assert.deepEqual(taken, { revlog: [1_000_002, 1_000_001], notes: [2_000_002, 2_000_001], cards: [3_000_000] });
});
