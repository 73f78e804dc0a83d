import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noObjects } from '../collection/sync-ended.ts';
import { nothingMoved } from '../protocol/report.ts';
import { SYNC_KINDS, SYNC_RESULTS, type SyncOutcome } from './sync-outcome.ts';
import { bytesInWords, secondsInWords, summaryOf } from './sync-words.ts';

const base = { user: 'ann', sessionKey: 's', client: '26.09.3,x,linux', elapsedMs: 1234 } as const;

function summary(outcome: Partial<SyncOutcome> & Pick<SyncOutcome, 'kind' | 'result'>): string {
  return summaryOf({ ...base, ...outcome }).replace('ann: desktop 26.09.3 on linux ', '');
}

test('a sync that is done tells what was moved, in the order of interest, and how long it took', () => {
  const sent = { ...noObjects(), deletions: 1, cards: 3, reviews: 214 };
  const tally = { sent, got: { ...noObjects(), notes: 12 } };
  assert.equal(
    summary({ kind: 'normal', result: 'done', tally }),
    'synced: sent 214 reviews, 3 cards, 1 deletion, got 12 notes, 1.2 s',
  );
});

test('media are told in files and bytes', () => {
  const media = { ...nothingMoved, filesSent: 3, bytesSent: 1_200_000, filesDeleted: 1, filesGot: 20, bytesGot: 999 };
  assert.equal(
    summary({ kind: 'media', result: 'done', media }),
    'synced media: sent 3 files, 1.2 MB, deleted 1, got 20 files, 999 bytes, 1.2 s',
  );
});

test('every sync that is not done says so, and why', () => {
  for (const kind of SYNC_KINDS) {
    for (const result of SYNC_RESULTS.filter((each) => each !== 'done')) {
      assert.match(summary({ kind, result, why: 'the reason' }), /^did not .*because the reason/, `${kind} ${result}`);
    }
  }
});

test('whatever a client calls itself, and whatever went wrong, the summary is one plain line', () => {
  const outcome = fc.record({
    kind: fc.constantFrom(...SYNC_KINDS),
    result: fc.constantFrom(...SYNC_RESULTS),
    client: fc.string({ unit: 'binary' }),
    detail: fc.string({ unit: 'binary' }),
  });
  fc.assert(
    fc.property(outcome, (given) => {
      const text = summaryOf({ ...base, ...given });
      assert.match(text, /^ann: [\x20-\x7e]+$/);
      assert.doesNotMatch(text, /["=]/);
    }),
  );
});

test('bytes and seconds are short', () => {
  const bytes = [0, 1, 999, 1000, 999_949, 999_950, 1_250_000, 5e9, 5e12, 5e15];
  assert.deepEqual(bytes.map(bytesInWords), [
    '0 bytes',
    '1 byte',
    '999 bytes',
    '1.0 kB',
    '999.9 kB',
    '1.0 MB',
    '1.3 MB',
    '5.0 GB',
    '5.0 TB',
    '5000.0 TB',
  ]);
  assert.deepEqual([0, 99, 100, 1234, 65_000].map(secondsInWords), [
    'under 0.1 s',
    'under 0.1 s',
    '0.1 s',
    '1.2 s',
    '65.0 s',
  ]);
});
