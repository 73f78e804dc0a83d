import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { quoteName, takeOutCollation, UNICASE_TABLES } from './canonical-form.ts';
import { hasSoundNames } from './sound-names.ts';
import { openExclusive, SCHEMA_18_FIXTURES, TestFolder } from './test-files.ts';
import { withUnicaseDatabase, withUnicaseReader } from './wasm/unicase-database.ts';

test('collections of all releases need no SQLite with the collation to be found sound', () => {
  using folder = new TestFolder();
  for (const fixture of [...SCHEMA_18_FIXTURES, 'uploads/page-size-8192.anki2.zst', 'uploads/empty-18.anki2.zst']) {
    assert.ok(hasSoundNames(folder.copyOf(fixture)), fixture);
  }
});

test('so it is with many names, long contents and gaps in their pages', async () => {
  using folder = new TestFolder();
  assert.ok(hasSoundNames(await manyNames(folder)));
});

test('what has not all small tables is left to SQLite', () => {
  using folder = new TestFolder();
  for (const fixture of ['schema11/rich.anki2', 'other-releases/2.1.40-schema16.anki2', 'uploads/garbage.anki2.zst']) {
    assert.ok(!hasSoundNames(folder.copyOf(fixture)), fixture);
  }
  assert.ok(!hasSoundNames(folder.file('missing')));
});

test('tags that are not in order are noticed', () => {
  using folder = new TestFolder();
  assert.ok(!hasSoundNames(folder.copyOf('uploads/tags-out-of-order.anki2.zst')));
});

for (const [index, change] of Object.entries({
  idx_decks_name: "UPDATE decks SET name = name || '.'",
  idx_fields_name_ntid: "UPDATE fields SET name = name || '.'",
  idx_notetypes_name: 'DELETE FROM notetypes WHERE id = (SELECT min(id) FROM notetypes)',
  idx_notetypes_usn: 'UPDATE notetypes SET usn = usn + 1',
  idx_templates_name_ntid: 'UPDATE templates SET ord = ord + 100',
  idx_templates_usn: 'DELETE FROM templates WHERE ord = 0',
})) {
  test(`a table that changed behind the back of ${index} is noticed`, async () => {
    using folder = new TestFolder();
    const file = folder.copyOf('rich.anki2');
    changeBehind(file, index, change);
    assert.notEqual(await integrityOfSmallTables(file), 'ok');
    assert.ok(!hasSoundNames(file));
  });
}

test('a table with another declaration, or with an index of an add-on, is left to SQLite', async () => {
  for (const sql of ['CREATE INDEX ix_decks_usn ON decks (usn)', 'ALTER TABLE tags ADD COLUMN addon int']) {
    using folder = new TestFolder();
    const file = folder.copyOf('rich.anki2');
    await withUnicaseDatabase(file, (db) => void db.exec(sql));
    assert.ok(!hasSoundNames(file), sql);
  }
});

test('whatever is found sound here, SQLite finds sound as well', async () => {
  using folder = new TestFolder();
  for (const file of [folder.copyOf('rich.anki2', 'rich.anki2'), await manyNames(folder)]) {
    const sound = readFileSync(file);
    const pages = pagesOf(file);
    const damaged = folder.file('damaged.anki2');
    const page = fc.constantFrom(...pages);
    let found = 0;
    const property = fc.asyncProperty(page, page, fc.nat(), fc.nat(255), KINDS_OF_DAMAGE, async (...damage) => {
      writeFileSync(damaged, damageTo(sound, ...damage));
      if (!hasSoundNames(damaged)) found += 1;
      else assert.equal(await integrityOfSmallTables(damaged), 'ok');
    });
    await fc.assert(property, { numRuns: 200 });
    assert.ok(found > 20, `only ${found} were noticed`);
  }
});

const KINDS_OF_DAMAGE = fc.constantFrom('header', 'cell', 'place of a cell', 'byte', 'other page');

/** A file with one page changed: in its head, in a cell, in the list of cells, anywhere, or with another page in its place. */
function damageTo(sound: Buffer, page: number, other: number, at: number, byte: number, kind: string): Buffer {
  const bytes = Buffer.from(sound);
  const pageBytes = bytes.readUInt16BE(16);
  const begin = (page - 1) * pageBytes;
  const places = begin + (bytes[begin] === 2 || bytes[begin] === 5 ? 12 : 8);
  const place = places + 2 * (at % Math.max(1, bytes.readUInt16BE(begin + 3)));
  if (kind === 'header') bytes[begin + (at % 12)] = byte;
  else if (kind === 'cell') bytes[begin + ((bytes.readUInt16BE(place) + (byte % 16)) % pageBytes)] = at % 256;
  else if (kind === 'place of a cell') bytes.writeUInt16BE((at + byte) % pageBytes, place);
  else if (kind === 'byte') bytes[begin + (at % pageBytes)] = byte;
  else sound.copy(bytes, begin, (other - 1) * pageBytes, other * pageBytes);
  return bytes;
}

/** Trees of several levels, records over several pages, and free blocks where something was deleted. */
async function manyNames(folder: TestFolder): Promise<string> {
  const file = folder.copyOf('non-ascii-names.anki2', 'many.anki2');
  const numbers = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)';
  await withUnicaseDatabase(file, (db) => {
    db.exec(`
      ${numbers} INSERT INTO decks SELECT 5000 + i, 'Ä' || (i * 7919 % 1000) || 'deck', 1, 1, zeroblob(i % 90), x'0a' FROM n;
      ${numbers} INSERT INTO tags SELECT 'straße' || (i * 7919 % 1000), i % 3 - 1, 0, NULL FROM n;
      ${numbers} INSERT INTO notetypes SELECT 900 + i, 'type' || i, 1, i % 3, zeroblob(i * 12) FROM n WHERE i % 9 = 0;
      ${numbers} INSERT INTO templates SELECT i / 4, i % 4, i || hex(zeroblob(i * 2)), 1, 1, zeroblob(9) FROM n WHERE i > 800;
      DELETE FROM decks WHERE id > 5000 AND id % 5 = 0;
      DELETE FROM tags WHERE tag LIKE '%7';
    `);
  });
  return file;
}

/** Changes a table while SQLite knows nothing of one of its indexes. */
function changeBehind(file: string, index: string, change: string): void {
  const db = openExclusive(file);
  db.enableDefensive(false);
  db.exec('BEGIN');
  db.exec('CREATE TEMP TABLE kept AS SELECT * FROM main.sqlite_schema');
  takeOutCollation(db);
  db.enableDefensive(false);
  db.exec(`PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE name = '${index}'; PRAGMA writable_schema=RESET`);
  db.exec(change);
  db.exec(`PRAGMA writable_schema=ON; DELETE FROM sqlite_schema;
    INSERT INTO sqlite_schema SELECT * FROM temp.kept; PRAGMA writable_schema=RESET; COMMIT`);
  db.close();
}

/** What SQLite says that has the collation. */
async function integrityOfSmallTables(file: string): Promise<string> {
  try {
    return await withUnicaseReader(file, (db) => {
      const found = UNICASE_TABLES.map((name) => String(db.selectValue(`PRAGMA integrity_check(${quoteName(name)})`)));
      return found.find((each) => each !== 'ok') ?? 'ok';
    });
  } catch (error) {
    return String(error);
  }
}

/** Numbers of the pages of the small tables and their indexes. */
function pagesOf(file: string): number[] {
  using db = new DatabaseSync(file, { readOnly: true });
  const names = UNICASE_TABLES.map((name) => `'${name}'`).join(', ');
  const inTables = `SELECT name FROM sqlite_schema WHERE tbl_name IN (${names})`;
  return db
    .prepare(`SELECT pageno FROM dbstat WHERE name IN (${inTables})`)
    .all()
    .map(({ pageno }) => Number(pageno));
}
