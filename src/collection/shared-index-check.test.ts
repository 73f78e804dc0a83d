import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { helpCheckIndexes } from './help-check-indexes.ts';
import { BIG_TABLES, SharedIndexCheck } from './shared-index-check.ts';
import { SCHEMA_18_FIXTURES, TestFolder } from './test-files.ts';
import { prepareUpload } from './validate-upload.ts';

const BROKEN_INDEX = 'uploads/broken-index.anki2.zst';

/** A file in which an index has as many entries as it should, and one of them is wrong. */
function withWrongEntry(folder: TestFolder): string {
  const file = folder.copyOf('rich.anki2');
  using db = new DatabaseSync(file, { defensive: false });
  const text = db.prepare("SELECT * FROM sqlite_schema WHERE name = 'ix_revlog_cid'").get() ?? {};
  db.exec("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'ix_revlog_cid'");
  db.exec('PRAGMA writable_schema = RESET; UPDATE revlog SET cid = cid + 1 WHERE id = (SELECT max(id) FROM revlog)');
  db.exec('PRAGMA writable_schema = ON');
  db.prepare('INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)').run(...Object.values(text));
  return file;
}

test('a wrong entry is found by whoever looks, and told in the same words', async () => {
  using folder = new TestFolder();
  const shared = new SharedIndexCheck();
  const file = withWrongEntry(folder);
  helpCheckIndexes(file, shared);
  const verdict = await prepareUpload(file, shared);
  assert.deepEqual(verdict, await prepareUpload(file));
  assert.match(verdict.kind === 'refused' ? verdict.reason : '', /entries of index ix_revlog_cid/);
});

for (const fixture of [...SCHEMA_18_FIXTURES, BROKEN_INDEX, 'uploads/garbage.anki2.zst', 'uploads/trigger.anki2.zst']) {
  test(`${fixture}: the verdict is the same with help and without, and the helper leaves the file as it is`, async () => {
    using folder = new TestFolder();
    const [alone, helped] = [folder.copyOf(fixture, 'alone.anki2'), folder.copyOf(fixture, 'helped.anki2')];
    const before = readFileSync(helped);
    const shared = new SharedIndexCheck();
    helpCheckIndexes(helped, shared);
    assert.ok(before.equals(readFileSync(helped)));
    assert.deepEqual(await prepareUpload(helped, shared), await prepareUpload(alone));
  });
}

test('what the helper has found sound is not looked at again', async () => {
  using folder = new TestFolder();
  const shared = new SharedIndexCheck();
  for (const table of BIG_TABLES) {
    assert.ok(shared.take(table));
    shared.tell(table, true);
  }
  assert.equal((await prepareUpload(withWrongEntry(folder), shared)).kind, 'accepted');
});

test('a helper that comes late finds nothing to do', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('rich.anki2');
  const shared = new SharedIndexCheck();
  assert.equal((await prepareUpload(file, shared)).kind, 'accepted');
  assert.deepEqual(
    BIG_TABLES.map((table) => shared.take(table)),
    [false, false, false],
  );
});

test('a helper that dies in the middle of a table leaves it to the other thread, which has waited for it', async () => {
  using folder = new TestFolder();
  const shared = new SharedIndexCheck();
  for (const table of BIG_TABLES) assert.ok(shared.take(table));
  const code = `
    const { setTimeout } = require('node:timers');
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ SharedIndexCheck }) =>
      setTimeout(() => new SharedIndexCheck(workerData.memory).giveUp(), 50));
  `;
  const module = new URL('./shared-index-check.ts', import.meta.url).href;
  const other = new Worker(code, { eval: true, workerData: { module, memory: shared.memory } });
  const verdict = await prepareUpload(withWrongEntry(folder), shared);
  await other.terminate();
  assert.equal(verdict.kind, 'refused');
});

test('tables that are not shared belong to whoever asks', () => {
  const shared = new SharedIndexCheck();
  assert.deepEqual([shared.take('of_an_addon'), shared.take('of_an_addon')], [true, true]);
  assert.deepEqual([shared.take('Notes'), shared.take('notes')], [true, false]);
});
