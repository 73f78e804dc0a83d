import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { damageIn } from './damage-in.ts';
import { openExclusive, TestFolder } from './test-files.ts';

const pageBytes = 4096;

test('a page that is overwritten is found, whatever table it belongs to', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('non-ascii-names.anki2');
  assert.equal(await damageIn(file), undefined);
  const sound = readFileSync(file);
  for (const [table, page] of rootPages(sound)) {
    const bytes = Buffer.from(sound);
    bytes.fill(0x55, (page - 1) * pageBytes, (page - 1) * pageBytes + 300);
    writeFileSync(file, bytes);
    assert.notEqual(await damageIn(file), undefined, table);
    assert.deepEqual(readFileSync(file), bytes, 'the file stays as it is');
  }
  assert.deepEqual(folder.names(), ['collection.anki2']);
});

test('a file that is cut off is damaged', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('non-ascii-names.anki2');
  writeFileSync(file, readFileSync(file).subarray(0, 10 * pageBytes));
  assert.notEqual(await damageIn(file), undefined);
});

test('a collection that is open elsewhere is read all the same, and stays open', async () => {
  using folder = new TestFolder();
  const db = openExclusive(folder.copyOf('rich.anki2'));
  db.exec('UPDATE cards SET usn = 3; PRAGMA wal_checkpoint(TRUNCATE)');
  assert.equal(await damageIn(folder.file('collection.anki2')), undefined);
  db.exec('UPDATE cards SET usn = 4; PRAGMA wal_checkpoint(TRUNCATE)');
  assert.equal(db.prepare('SELECT min(usn) AS usn FROM cards').get()?.['usn'], 4);
  db.close();
});

/** First pages of all tables and indexes but those of the query planner's statistics. */
function rootPages(file: Buffer): [name: string, page: number][] {
  const bytes = Buffer.from(file);
  bytes.set([1, 1], 18); // A database in memory has no WAL.
  using db = new DatabaseSync(':memory:');
  db.deserialize(bytes);
  const rows = db
    .prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0 AND name NOT LIKE 'sqlite_stat%'")
    .all();
  return [['sqlite_schema', 1], ...rows.map((row): [string, number] => [String(row['name']), Number(row['rootpage'])])];
}
