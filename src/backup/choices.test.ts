import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backupId, findBackup, type StoredBackup } from './backup-folder.ts';
import { lossOf, restoreCommand } from './loss-warning.ts';
import { chooseTrashed, type TrashedVersion } from './trashed-media.ts';

const at = Date.UTC(2026, 10, 23, 14, 30, 55, 123);

function stored(atMs: number, form: StoredBackup['form'] = 'packed'): StoredBackup {
  const id = backupId(atMs, form === 'damaged' ? 'damaged' : 'daily');
  return { id, atMs, reason: 'daily', form, path: `/backups/${id}.colpkg`, bytes: 1 };
}

test('a backup is found by its name, by its file, by the only beginning that fits, and as the latest', () => {
  const [old, young, damaged] = [stored(at), stored(at + 1000), stored(at + 2000, 'damaged')];
  const backups = [old, young, damaged];
  assert.equal(findBackup(backups, '2026-11-23T143055.123Z.daily'), old);
  assert.equal(findBackup(backups, '2026-11-23T143055.123Z.daily.colpkg'), old);
  assert.equal(findBackup(backups, '2026-11-23T143056'), young);
  assert.equal(findBackup(backups, 'latest'), young, 'a damaged one is of no use');
  assert.deepEqual(findBackup(backups, '2026-11-23'), { problem: 'ambiguous' });
  assert.deepEqual(findBackup(backups, '2025'), { problem: 'unknown' });
  assert.deepEqual(findBackup(backups, ''), { problem: 'unknown' });
  assert.deepEqual(findBackup([], 'latest'), { problem: 'unknown' });
});

test('an upload is worth a warning when more than half of anything is lost, unless that is next to nothing', () => {
  const facts = { notes: 100, cards: 200, reviews: 1000, lastReviewMs: null, modifiedMs: 0 };
  assert.equal(lossOf(facts, { notes: 50, cards: 100, revlog: 500 }), undefined);
  assert.deepEqual(lossOf(facts, { notes: 100, cards: 200, revlog: 499 }), {
    notes: '100 -> 100',
    cards: '200 -> 200',
    reviews: '1000 -> 499',
  });
  assert.ok(lossOf(facts, { notes: 49, cards: 200, revlog: 1000 }));
  assert.ok(lossOf(facts, { notes: 100, cards: 0, revlog: 1000 }));
  assert.equal(lossOf({ ...facts, notes: 20, cards: 20, reviews: 20 }, { notes: 0, cards: 0, revlog: 0 }), undefined);
});

test('the command that undoes can be typed as it is, whatever the name of the user', () => {
  assert.equal(restoreCommand('ann', 'x'), 'anki-sync-server restore ann x');
  assert.equal(restoreCommand("o'neill & co", 'x'), `anki-sync-server restore 'o'\\''neill & co' x`);
});

test('by time the version comes back that was there then; by name the last one before the present', () => {
  const version = (name: string, atMs: number): TrashedVersion => ({
    name,
    atMs,
    fate: 'replaced',
    bytes: 1,
    path: `${name}@${atMs}`,
  });
  const versions = [version('a', 1), version('a', 5), version('b', 6), version('a', 7)];
  const paths = (wish: Parameters<typeof chooseTrashed>[1]) => chooseTrashed(versions, wish).map((each) => each.path);
  assert.deepEqual(paths({ sinceMs: 0 }), ['a@1', 'b@6']);
  assert.deepEqual(paths({ sinceMs: 2 }), ['a@5', 'b@6']);
  assert.deepEqual(paths({ sinceMs: 8 }), []);
  assert.deepEqual(paths({ name: 'a' }), ['a@7']);
  assert.deepEqual(paths({ name: 'c' }), []);
});
