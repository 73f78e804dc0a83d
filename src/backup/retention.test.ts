import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BACKUP_REASONS } from './backup-folder.ts';
import { backupsToDelete, batchesToDelete, dayMs, type KeptBackup } from './retention.ts';
import { keepingPolicy as policy } from './testing/keeping-policy.ts';

const nowMs = Date.UTC(2026, 10, 23, 12);

let serial = 0;
function backup(daysAgo: number, reason: KeptBackup['reason'], bytes = 1): KeptBackup {
  return { id: `${reason}-${serial++}`, atMs: nowMs - daysAgo * dayMs, reason, bytes };
}

const anyBackups = fc.array(
  fc
    .record({
      daysAgo: fc.double({ min: 0, max: 900, noNaN: true }),
      reason: fc.constantFrom(...BACKUP_REASONS),
      bytes: fc.nat(100),
    })
    .map(({ daysAgo, reason, bytes }) => backup(daysAgo, reason, bytes)),
  { maxLength: 60 },
);
const anyPolicy = fc.record({
  replacedDays: fc.constantFrom(0, 30, 100),
  days: fc.nat(20),
  weeks: fc.nat(10),
  months: fc.nat(15),
  bytesMax: fc.constantFrom(0, 50, 500, 100_000),
  trashDays: fc.nat(40),
  trashBytesMax: fc.constantFrom(0, 50, 500),
});

test('whatever the sizes and limits: a replaced collection stays for its days, a damaged one for good', () => {
  fc.assert(
    fc.property(anyBackups, anyPolicy, (backups, wanted) => {
      for (const { reason, atMs } of backupsToDelete(backups, nowMs, wanted)) {
        assert.notEqual(reason, 'damaged');
        const isReplaced = reason === 'replaced' || reason === 'before-restore';
        if (isReplaced) assert.ok(nowMs - atMs > wanted.replacedDays * dayMs);
      }
    }),
  );
});

test('the newest backup always stays, and nothing goes twice', () => {
  fc.assert(
    fc.property(anyBackups, anyPolicy, (backups, wanted) => {
      const deleted = backupsToDelete(backups, nowMs, wanted);
      assert.equal(new Set(deleted).size, deleted.length);
      if (backups.length === 0) return;
      const newestMs = Math.max(...backups.map(({ atMs }) => atMs));
      assert.ok(backups.some((each) => each.atMs === newestMs && !deleted.includes(each)));
    }),
  );
});

test('what is kept once is kept by the next look, until time passes', () => {
  fc.assert(
    fc.property(anyBackups, anyPolicy, (backups, wanted) => {
      const deleted = backupsToDelete(backups, nowMs, wanted);
      const left = backups.filter((each) => !deleted.includes(each));
      assert.deepEqual(backupsToDelete(left, nowMs, wanted), []);
    }),
  );
});

test('a limit is kept, as far as what may go at all goes', () => {
  fc.assert(
    fc.property(anyBackups, anyPolicy, (backups, wanted) => {
      if (wanted.bytesMax === 0) return;
      const deleted = backupsToDelete(backups, nowMs, wanted);
      const left = backups.filter((each) => !deleted.includes(each));
      const bytes = left.reduce((sum, each) => sum + each.bytes, 0);
      const mayGo = left.filter(({ reason }) => reason === 'daily' || reason === 'manual');
      assert.ok(bytes <= wanted.bytesMax || mayGo.length <= 1, `${bytes} bytes of ${wanted.bytesMax}`);
    }),
  );
});

test('after two years of daily use there are the last 14 days, 8 weeks and 12 months', () => {
  const backups = Array.from({ length: 730 }, (_, daysAgo) => backup(daysAgo, 'daily'));
  const deleted = backupsToDelete(backups, nowMs, policy);
  const daysLeft = backups.filter((each) => !deleted.includes(each)).map(({ atMs }) => (nowMs - atMs) / dayMs);
  assert.deepEqual(daysLeft.slice(0, 14), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  // 23 November 2026 is a Monday: weeks end on Sundays, 1, 8, 15, … days ago.
  assert.deepEqual(
    daysLeft.filter((days) => days > 13 && days < 50 && (days - 1) % 7 === 0),
    [15, 22, 29, 36, 43],
  );
  assert.ok(daysLeft.includes(23), 'the last day of October');
  assert.ok(Math.max(...daysLeft) > 300 && Math.max(...daysLeft) < 366, 'eleven months back');
  assert.ok(daysLeft.length <= 14 + 8 + 12);
});

test('who comes back after years still finds the backups of the last days of use', () => {
  const backups = [1000, 1001, 1002].map((daysAgo) => backup(daysAgo, 'daily'));
  assert.deepEqual(backupsToDelete(backups, nowMs, policy), []);
});

test('for its size the oldest daily goes first, a manual one later', () => {
  const [old, young, manual, newest] = [
    backup(9, 'daily', 10),
    backup(2, 'daily', 10),
    backup(20, 'manual', 10),
    backup(1, 'daily', 10),
  ];
  const limit = (bytesMax: number) => backupsToDelete([newest, manual, old, young], nowMs, { ...policy, bytesMax });
  assert.deepEqual(limit(40), []);
  assert.deepEqual(limit(30), [old]);
  assert.deepEqual(limit(20), [old, young]);
  assert.deepEqual(limit(1), [old, young, manual]);
});

test('displaced media go when their days are over, then the oldest beyond the limit', () => {
  const batch = (daysAgo: number, bytes: number) => ({ atMs: nowMs - daysAgo * dayMs, bytes });
  const [a, b, c] = [batch(1, 10), batch(2, 10), batch(40, 10)];
  assert.deepEqual(batchesToDelete([a, b, c], nowMs, policy), [c]);
  assert.deepEqual(batchesToDelete([c, b, a], nowMs, { trashDays: 30, trashBytesMax: 15 }), [b, c]);
});
