import assert from 'node:assert/strict';
import fs, { readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openExclusive, TestFolder } from '../test-files.ts';
import { withUnicaseDatabase } from './unicase-database.ts';

test('names are found, ordered and kept apart by the collation of Anki', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('non-ascii-names.anki2');
  await withUnicaseDatabase(file, (db) => {
    db.exec("INSERT INTO tags VALUES ('Kleine Straße', 0, 0, NULL), ('kleines zebra', 0, 0, NULL)");
    assert.equal(db.selectValue("SELECT tag FROM tags WHERE tag = 'KLEINE STRASSE'"), 'Kleine Straße');
    assert.throws(() => db.exec("INSERT INTO tags VALUES ('Kleines ZEBRA', 0, 0, NULL)"), /UNIQUE/);
    assert.equal(db.selectValue('PRAGMA integrity_check'), 'ok');
  });
  assert.deepEqual(folder.names(), ['collection.anki2']);
});

test('a file that is only read stays as it is', async () => {
  using folder = new TestFolder();
  for (const fixture of ['rich.anki2', 'uploads/18-without-wal.anki2.zst']) {
    const file = folder.copyOf(fixture);
    const before = readFileSync(file);
    await withUnicaseDatabase(file, (db) => assert.equal(db.selectValue('PRAGMA quick_check'), 'ok'));
    assert.deepEqual(readFileSync(file), before);
    assert.deepEqual(folder.names(), ['collection.anki2']);
  }
});

test('native SQLite and the one in WebAssembly recover what the other left behind', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('rich.anki2');
  const hot = folder.file('hot.anki2');
  const native = openExclusive(file);
  native.exec('UPDATE cards SET usn = 4711');
  for (const suffix of ['', '-wal']) fs.copyFileSync(file + suffix, hot + suffix);
  native.close();
  const counted = 'SELECT count(*) AS n FROM cards WHERE usn = 4711';
  const cards = await withUnicaseDatabase(hot, (db) => {
    db.exec('PRAGMA wal_autocheckpoint=0; UPDATE revlog SET usn = 4712');
    for (const suffix of ['', '-wal']) fs.copyFileSync(hot + suffix, file + suffix);
    return db.selectValue(counted);
  });
  assert.equal(cards, 47);
  const again = new DatabaseSync(file);
  assert.equal(again.prepare(counted).get()?.n, 47);
  assert.equal(again.prepare('SELECT count(*) AS n FROM revlog WHERE usn = 4712').get()?.n, 45);
  again.close();
});

test('an error says what the disk said', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('rich.anki2');
  const { writeSync } = fs;
  Object.assign(fs, {
    writeSync: () => {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    },
  });
  syncBuiltinESMExports();
  try {
    await assert.rejects(
      withUnicaseDatabase(file, (db) => void db.exec('UPDATE cards SET usn = 5')),
      (error: Error) => /full/.test(error.message) && error.cause instanceof Error && 'code' in error.cause,
    );
  } finally {
    Object.assign(fs, { writeSync });
    syncBuiltinESMExports();
  }
  const rows = await withUnicaseDatabase(file, (db) => db.selectValue('SELECT count(*) FROM cards WHERE usn = 5'));
  assert.equal(rows, 0);
});

test('journals are as private as the collection', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('rich.anki2');
  fs.chmodSync(file, 0o600);
  await withUnicaseDatabase(file, (db) => {
    db.exec('UPDATE cards SET usn = 5');
    assert.equal(statSync(`${file}-wal`).mode & 0o777, 0o600);
  });
});

test('a file that is not there is not made', async () => {
  using folder = new TestFolder();
  await assert.rejects(withUnicaseDatabase(folder.file('missing.anki2'), () => undefined));
  writeFileSync(folder.file('garbage'), 'x'.repeat(5000));
  await assert.rejects(withUnicaseDatabase(folder.file('garbage'), (db) => db.selectValue('SELECT 1 FROM col')));
  assert.deepEqual(folder.names(), ['garbage']);
});
