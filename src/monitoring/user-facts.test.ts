import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { userFolder } from '../user-folder.ts';
import { factsStaleMs, KnownUserFacts } from './user-facts.ts';

test('what a user has is looked up after a sync and after a while, and the media index only when it was written', async () => {
  const base = mkdtempSync(path.join(tmpdir(), 'user-facts-'));
  try {
    const folder = userFolder(base, 'ann');
    mkdirSync(path.join(folder.root, 'backups'), { recursive: true });
    writeFileSync(folder.collection, 'collection');
    writeFileSync(folder.mediaDb, 'index');
    writeFileSync(path.join(folder.root, 'backups/2026-11-23T143055.123Z.daily.colpkg'), 'backup');
    let opened = 0;
    let nowMs = 0;
    const known = new KnownUserFacts(
      async () => ({ files: ++opened, bytes: 0 }),
      () => nowMs,
    );
    const facts = async () => (await known.of([folder])).get('ann');
    const first = await facts();
    assert.deepEqual(
      [first?.collectionBytes, first?.backups, first?.backupBytes, first?.newestBackupMs],
      [10, 1, 6, Date.UTC(2026, 10, 23, 14, 30, 55, 123)],
    );
    writeFileSync(folder.collection, 'grown collection');
    assert.equal((await facts())?.collectionBytes, 10);
    known.changed('ann');
    assert.equal((await facts())?.collectionBytes, 16);
    assert.equal(opened, 2);
    writeFileSync(folder.collection, 'gro');
    nowMs = factsStaleMs;
    assert.equal((await facts())?.collectionBytes, 3);
    assert.equal(opened, 2);
    utimesSync(folder.mediaDb, 1, 1);
    nowMs *= 2;
    assert.equal((await facts())?.media.files, 3);
  } finally {
    rmSync(base, { recursive: true });
  }
});

test('a user whose files cannot be looked up holds nobody else up', async () => {
  const folders = ['ann', 'bob'].map((name) => userFolder(path.join(tmpdir(), 'there-is-no-such-folder'), name));
  const known = new KnownUserFacts(async ({ user }) => {
    if (user === 'ann') throw new Error('the index is damaged');
    return { files: 0, bytes: 0 };
  });
  assert.deepEqual([...(await known.of(folders)).keys()], ['bob']);
});
