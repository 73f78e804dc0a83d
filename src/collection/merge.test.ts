import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isNewsFor, replacesStoredObject, replacesStoredRow } from './merge.ts';

const usn = fc.integer({ min: 0, max: 1000 });
const secs = fc.integer({ min: 0, max: 2 ** 40 });

test('a card that did not change here since the last sync takes the version of the client, whatever the times', () => {
  fc.assert(
    fc.property(usn, usn, secs, secs, (storedUsn, clientUsn, storedSecs, incomingSecs) => {
      fc.pre(storedUsn < clientUsn);
      assert.equal(replacesStoredRow({ usn: storedUsn, mtimeSecs: storedSecs }, incomingSecs, clientUsn), true);
    }),
  );
});

test('of a card that changed on both sides the newer version stays, and a tie keeps the one that is here', () => {
  fc.assert(
    fc.property(usn, usn, secs, secs, (storedUsn, clientUsn, storedSecs, incomingSecs) => {
      fc.pre(storedUsn >= clientUsn);
      const replaced = replacesStoredRow({ usn: storedUsn, mtimeSecs: storedSecs }, incomingSecs, clientUsn);
      assert.equal(replaced, incomingSecs > storedSecs);
    }),
  );
});

test('times beyond the exact range of numbers are compared exactly', () => {
  const stored = { usn: 5, mtimeSecs: 9007199254740993n };
  assert.equal(replacesStoredRow(stored, 9007199254740992, 0), false);
  assert.equal(replacesStoredRow(stored, 9007199254740994n, 0), true);
});

test('an unknown card or note is always taken', () => {
  assert.equal(replacesStoredRow(undefined, 0, 0), true);
});

test('a deck that is as old as the one here replaces it, an older one does not', () => {
  assert.equal(replacesStoredObject({ mtimeSecs: 7 }, 7), true);
  assert.equal(replacesStoredObject({ mtimeSecs: 7 }, 6), false);
  assert.equal(replacesStoredObject(undefined, 0), true);
});

test('a client is told what has its usn or a higher one; with usn -1 it is told nothing', () => {
  assert.deepEqual(
    [4, 5, 6].map((one) => isNewsFor(5, one)),
    [false, true, true],
  );
  assert.equal(isNewsFor(-1, 0), false);
  assert.equal(isNewsFor(-5, 0), true);
});
