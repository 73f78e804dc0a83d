import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { CollectionFile } from '../../src/collection/collection-file.ts';
import { COLLECTIONS, TestFolder } from '../../src/collection/test-files.ts';
import { prepareUpload } from '../../src/collection/validate-upload.ts';
import { silentLog } from '../../src/log.ts';
import { useFastTemporaryFolder } from '../safety/fast-folder.ts';
import { isLong, seedOf } from '../safety/random.ts';
import { stateOfFile } from '../safety/stored-state.ts';
import { Random } from '../support/random.ts';
import { corpusOf } from './recorded.ts';

useFastTemporaryFolder();

const seed = seedOf(1);
const filesWanted = isLong ? 20_000 : 400;
const uploadMsMax = 30_000;
const pageBytes = 4096;

const seeds = ['fresh-empty.anki2', 'schema11/fresh-empty.anki2', 'other-releases/2.1.54-schema18.anki2'].map((file) =>
  readFileSync(path.join(COLLECTIONS, file)),
);

/** Checks a file as an upload. An accepted one must be sound, and take a sync. Returns the verdict. */
async function take(bytes: Uint8Array): Promise<'accepted' | 'refused'> {
  using folder = new TestFolder();
  const file = folder.file('collection.anki2');
  writeFileSync(file, bytes);
  const startedMs = performance.now();
  const { kind } = await prepareUpload(file);
  assert.ok(performance.now() - startedMs < uploadMsMax, 'the check hangs');
  if (kind === 'refused') return kind;
  assert.deepEqual(folder.names(), ['collection.anki2'], 'nothing is left beside an accepted file');
  const before = await stateOfFile(file);
  const opened = CollectionFile.open(file, silentLog);
  assert.ok(typeof opened !== 'string', `an accepted file needs nothing first, but ${opened}`);
  opened.beginWork();
  opened.readNames();
  opened.sql.run('UPDATE notes SET usn = usn + 1');
  opened.sql.run('UPDATE cards SET usn = usn + 1');
  opened.sql.all('SELECT name FROM decks NOT INDEXED');
  opened.rollbackWork();
  opened.close();
  assert.equal(before.integrity, 'ok');
  assert.deepEqual(await stateOfFile(file), before);
  return kind;
}

test(`${filesWanted} damaged collections are refused, or are sound after all`, async (t) => {
  const dice = new Random(seed);
  let accepted = 0;
  for (const bytes of corpusOf('upload')) await take(bytes);
  for (let count = 0; count < filesWanted; count++) {
    const bytes = damaged(dice);
    try {
      if ((await take(bytes)) === 'accepted') accepted += 1;
    } catch (error) {
      throw new Error(`seed ${seed}, file ${count}: ${error instanceof Error ? error.stack : error}`, { cause: error });
    }
  }
  t.diagnostic(`seed ${seed}: ${filesWanted} files, ${accepted} accepted`);
});

/** Bits flipped, bytes set, pages swapped, cut or repeated: more often where SQLite keeps its structure. */
function damaged(dice: Random): Buffer {
  const bytes = Buffer.from(dice.pick(seeds));
  for (let count = dice.integer(1, 3); count > 0; count--) {
    const pages = Math.max(1, Math.floor(bytes.length / pageBytes));
    const page = dice.integer(0, pages - 1) * pageBytes;
    switch (dice.integer(0, 5)) {
      case 0:
        flip(bytes, dice.integer(0, bytes.length - 1), dice);
        break;
      case 1:
        flip(bytes, dice.integer(16, 99), dice); // The header of the file.
        break;
      case 2:
        flip(bytes, page + dice.integer(0, 40), dice); // The header of a page and its first cells.
        break;
      case 3:
        bytes.copyWithin(page, dice.integer(0, pages - 1) * pageBytes, dice.integer(1, pages) * pageBytes);
        break;
      case 4:
        bytes.writeUInt16BE(dice.pick([0, 1, 0xffff, 4095, 4096]), page + dice.integer(0, 60));
        break;
      default:
        if (dice.chance(0.2)) return bytes.subarray(0, dice.integer(0, bytes.length));
        bytes.fill(dice.pick([0, 0xff]), page + dice.integer(0, pageBytes - 1), page + pageBytes);
    }
  }
  return bytes;
}

function flip(bytes: Buffer, at: number, dice: Random): void {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.integer(0, 7));
}

/** What someone could do to a collection with SQL, to have it run, grow or break here. */
const hostile: Readonly<Record<string, string>> = {
  'a trigger on every table': `
    CREATE TRIGGER t1 AFTER UPDATE ON notes BEGIN DELETE FROM notes; END;
    CREATE TRIGGER t2 AFTER INSERT ON cards BEGIN DELETE FROM col; END;
    CREATE TRIGGER t3 BEFORE UPDATE ON col BEGIN SELECT RAISE(ABORT, 'no'); END`,
  'a view with the name of nothing': 'CREATE VIEW v AS SELECT * FROM nowhere',
  'a view that never ends':
    'CREATE VIEW forever AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n',
  'a view in the place of a table':
    'ALTER TABLE graves RENAME TO g2; CREATE VIEW graves AS SELECT 1 AS oid, 1 AS type, 1 AS usn',
  'a virtual table': 'CREATE VIRTUAL TABLE f USING fts5(x)',
  'a tree of rectangles': 'CREATE VIRTUAL TABLE r USING rtree(id, a, b)',
  'a generated column in a table of its own': 'CREATE TABLE g (a, b AS (a * 2) STORED)',
  'a generated column among the notes': 'ALTER TABLE notes ADD COLUMN extra AS (zeroblob(100000000)) VIRTUAL',
  'a default of a hundred million bytes': 'ALTER TABLE cards ADD COLUMN extra DEFAULT (1)',
  'an index on an expression': 'CREATE INDEX i ON notes (length(flds) + random_missing(1))',
  'an index on a costly expression': 'CREATE INDEX i ON notes (length(hex(zeroblob(50000000))))',
  'an index that asks for other data': "CREATE INDEX i ON cards (id) WHERE data LIKE '%a%'",
  'a check that always fails': 'CREATE TABLE c (a CHECK (a > 5)); ',
  'a check on every note': 'ALTER TABLE notes ADD COLUMN c CHECK (c IS NULL)',
  'foreign keys in a circle': `
    CREATE TABLE a (id integer PRIMARY KEY, b REFERENCES b (id) ON DELETE CASCADE);
    CREATE TABLE b (id integer PRIMARY KEY, a REFERENCES a (id) ON DELETE CASCADE);
    INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1)`,
  'notes that cards depend on': 'CREATE TABLE n2 (id integer PRIMARY KEY REFERENCES notes (id) ON DELETE CASCADE)',
  'a table whose name has quotes': 'CREATE TABLE "a""b\'c]`" (x)',
  'a thousand tables': Array.from({ length: 1000 }, (_, n) => `CREATE TABLE t${n} (x)`).join(';'),
  'a table without rowids': "CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('a', 1)",
  'a row of 30 MB': 'CREATE TABLE big (x); INSERT INTO big VALUES (zeroblob(30000000))',
  'a note of 30 MB': `
    INSERT INTO notes VALUES (7, 'g', 1, 1, 0, '', CAST(zeroblob(30000000) AS TEXT), '', 0, 0, '')`,
  'a note with NUL bytes everywhere': `
    INSERT INTO notes VALUES (7, 'g' || char(0), 1, 1, 0, char(0), 'a' || char(0, 31, 0) || 'b', char(0), 0, 0, char(0))`,
  'texts in the place of numbers': "UPDATE col SET usn = 'x'",
  'a usn beyond all numbers': 'UPDATE col SET usn = 9223372036854775807',
  'a modification time of infinity': 'UPDATE col SET mod = 9e999',
  'two rows of col':
    'INSERT INTO col SELECT 2, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col',
  'a schema text that does not parse': `
    PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE notes (' WHERE name = 'notes'`,
  'a schema that points two tables to one page': `
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'cards') WHERE name = 'notes'`,
  'a schema that points a table to the first page': `
    PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'revlog'`,
  'a schema whose table is called sqlite_evil': `
    CREATE TABLE evil (x); PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET name = 'sqlite_evil', tbl_name = 'sqlite_evil', sql = 'CREATE TABLE sqlite_evil (x)'
    WHERE name = 'evil'`,
  'statistics that lie': "ANALYZE; UPDATE sqlite_stat1 SET stat = '99999999999 0 0'",
  'a name with NUL in the schema': `
    CREATE TABLE evil (x); PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET name = 'ev' || char(0) || 'il' WHERE name = 'evil'`,
  'an application id and a user version': 'PRAGMA application_id = 1; PRAGMA user_version = -1',
  'automatic vacuum': 'PRAGMA auto_vacuum = FULL; VACUUM',
};

for (const [name, sql] of Object.entries(hostile)) {
  test(`an upload with ${name} is refused, or does no harm`, async () => {
    for (const fixture of ['schema11/fresh-empty.anki2', 'schema11/rich.anki2']) {
      using folder = new TestFolder();
      const file = folder.copyOf(fixture);
      if (!tryToChange(file, sql)) continue;
      await take(readFileSync(file));
    }
  });
}

/** Names are left alone, so an SQLite without Anki's collation can do it. False when this SQLite does not let itself be used for it. */
function tryToChange(file: string, sql: string): boolean {
  const db = new DatabaseSync(file, { enableForeignKeyConstraints: false, defensive: false });
  try {
    db.function('random_missing', { deterministic: true }, () => 1);
    db.exec('PRAGMA trusted_schema = ON');
    db.exec(sql);
    return true;
  } catch {
    return false;
  } finally {
    db.close();
  }
}
