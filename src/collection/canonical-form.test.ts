import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  afterRollback,
  formOf,
  overlookCollation,
  putBackCollation,
  takeOutCollation,
  toWorkingForm,
  withCollation,
  withoutCollation,
} from './canonical-form.ts';
import { compareUnicase } from './text/unicase.ts';

const FIXTURES = path.join(import.meta.dirname, '../../test/fixtures/collections');
const NAMES = 'non-ascii-names.anki2';
const SCHEMA_18 = [
  'fresh-server.anki2',
  'rich.anki2',
  NAMES,
  'other-releases/2.1.54-schema18.anki2',
  'other-releases/2.1.40-then-current.anki2',
  'schema11-upgraded/anki-2.1.15.anki2',
];

class OpenCopy implements Disposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'form-'));
  readonly path = path.join(this.#folder, 'collection.anki2');
  readonly db: DatabaseSync;

  constructor(fixture: string) {
    copyFileSync(path.join(FIXTURES, fixture), this.path);
    chmodSync(this.path, 0o600);
    this.db = new DatabaseSync(this.path);
    this.db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA wal_autocheckpoint=0');
  }

  texts(): unknown[] {
    return this.db.prepare('SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema').all();
  }

  [Symbol.dispose](): void {
    if (this.db.isOpen) this.db.close();
    rmSync(this.#folder, { recursive: true });
  }
}

test('a sync reads and changes the name tables, and what it commits is canonical again', () => {
  for (const fixture of SCHEMA_18) {
    using copy = new OpenCopy(fixture);
    const { db } = copy;
    const before = copy.texts();
    assert.equal(formOf(db), 'canonical');
    assert.throws(() => db.prepare('SELECT * FROM tags').all());

    db.exec('BEGIN IMMEDIATE');
    const originals = takeOutCollation(db);
    assert.equal(originals.length, 6);
    const tags = db.prepare('SELECT tag FROM tags').all();
    db.exec('UPDATE tags SET usn = 7; UPDATE decks SET usn = 7');
    putBackCollation(db, originals);
    db.exec('COMMIT');

    assert.deepEqual(copy.texts(), before, fixture);
    assert.equal(formOf(db), 'canonical');
    assert.deepEqual(
      tags.map((row) => String(row.tag)),
      tags.map((row) => String(row.tag)).sort(compareUnicase),
      'full scans give tags in the order of the collation',
    );
    assert.throws(() => db.prepare('SELECT * FROM tags').all(), 'and the collation is in force again');
  }
});

test('a connection that overlooks the collation reads names in all that follows, and the file stays canonical', () => {
  for (const fixture of SCHEMA_18) {
    using copy = new OpenCopy(fixture);
    const { db } = copy;
    const before = copy.texts();
    db.exec('BEGIN IMMEDIATE');
    overlookCollation(db);
    const tags = db.prepare('SELECT tag FROM tags').all().length;
    db.exec('UPDATE tags SET usn = 7; UPDATE decks SET usn = 7; COMMIT');
    assert.deepEqual(copy.texts(), before, fixture);
    assert.equal(formOf(db), 'canonical');
    for (const end of ['COMMIT', 'ROLLBACK']) {
      db.exec('BEGIN IMMEDIATE; UPDATE tags SET usn = 8; UPDATE notes SET usn = 8');
      assert.equal(db.prepare('SELECT tag FROM tags').all().length, tags);
      db.exec(end);
    }
    db.exec('BEGIN IMMEDIATE');
    takeOutCollation(db);
    toWorkingForm(db);
    assert.deepEqual(db.prepare('PRAGMA integrity_check(decks)').all().map(Object.values), [['ok']]);
    db.exec('ROLLBACK');
    afterRollback(db);
    assert.deepEqual(copy.texts(), before, fixture);
    assert.throws(() => db.prepare('SELECT tag FROM tags').all(), 'and the collation is in force again');
  }
});

test('taking the collation out costs no file growth and leaves the file as it was after a roll back', () => {
  using copy = new OpenCopy(NAMES);
  const before = readFileSync(copy.path);
  copy.db.exec('BEGIN IMMEDIATE');
  takeOutCollation(copy.db);
  copy.db.exec('ROLLBACK');
  copy.db.close();
  assert.deepEqual(readFileSync(copy.path), before);
  assert.deepEqual(globSync(`${copy.path}-*`), []);
});

test('after a roll back the connection goes on as if nothing had happened, prepared statements too', () => {
  using copy = new OpenCopy(NAMES);
  const { db } = copy;
  const notes = db.prepare('SELECT count(*) AS n FROM notes');
  for (let round = 0; round < 3; round++) {
    db.exec('BEGIN IMMEDIATE');
    takeOutCollation(db);
    const tags = db.prepare('SELECT tag FROM tags');
    assert.equal(tags.all().length, 50);
    const halfWay = db.prepare('SELECT id FROM notes').iterate();
    halfWay.next();
    db.exec('ROLLBACK');
    afterRollback(db);
    assert.equal(formOf(db), 'canonical');
    assert.throws(() => tags.all());
    assert.equal(halfWay.next().done, false);
    assert.equal(notes.get()?.n, 25);
    db.exec('UPDATE notes SET usn = usn');
  }
});

test('in working form names are found, ordered and written like any others', () => {
  using copy = new OpenCopy(NAMES);
  const { db } = copy;
  db.exec('BEGIN IMMEDIATE');
  takeOutCollation(db);
  toWorkingForm(db);
  db.exec("INSERT INTO tags VALUES ('Ωmega', 1, 0, NULL), ('zz', 1, 0, NULL)");
  db.exec("UPDATE decks SET name = 'renamed' WHERE id = 1");
  db.exec('COMMIT');
  assert.equal(formOf(db), 'working');
  for (const [table, column] of [
    ['tags', 'tag'],
    ['decks', 'name'],
    ['fields', 'name'],
  ]) {
    const names = db.prepare(`SELECT ${column} AS name FROM ${table}`).all();
    const find = db.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${column} = ?`);
    for (const { name } of names) assert.notEqual(find.get(String(name))?.n, 0, String(name));
  }
  assert.deepEqual(db.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
});

test('every spelling of the clause is taken out, and what SQLite would still see is refused', () => {
  for (const clause of [
    ' COLLATE unicase',
    '\n\tcollate  UNICASE',
    ' COLLATE "unicase"',
    " collate'unicase'",
    ' Collate [unicase]',
  ]) {
    assert.equal(
      withoutCollation(`CREATE TABLE t (a text NOT NULL${clause}, b int)`),
      'CREATE TABLE t (a text NOT NULL, b int)',
    );
  }
  assert.equal(
    withoutCollation('CREATE TABLE t (a text COLLATE"unicase"NOT NULL)'),
    'CREATE TABLE t (a text NOT NULL)',
  );

  using copy = new OpenCopy(NAMES);
  copy.db.enableDefensive(false);
  copy.db.exec(`PRAGMA writable_schema=ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'COLLATE unicase', 'COLLATE /**/ unicase') WHERE name = 'tags';
    PRAGMA writable_schema=RESET`);
  copy.db.exec('BEGIN IMMEDIATE');
  assert.throws(() => takeOutCollation(copy.db), /Cannot rewrite the declaration of tags/);
});

test('declarations of every release come back from working form letter by letter', () => {
  for (const fixture of SCHEMA_18) {
    using copy = new OpenCopy(fixture);
    const texts = copy.db.prepare("SELECT sql FROM sqlite_schema WHERE sql LIKE '%unicase%'").all();
    for (const { sql } of texts) assert.equal(withCollation(withoutCollation(String(sql))), sql);
  }
});

test("an add-on's index by the collation on a big table goes, its own tables stay untouched", () => {
  using copy = new OpenCopy(NAMES);
  const { db } = copy;
  db.enableDefensive(false);
  db.exec('CREATE INDEX ix_addon ON notes (flds COLLATE nocase); CREATE TABLE addon (name text COLLATE nocase)');
  db.exec(`PRAGMA writable_schema=ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'nocase', 'unicase') WHERE name LIKE '%addon';
    PRAGMA writable_schema=RESET`);
  db.exec('BEGIN IMMEDIATE');
  const originals = takeOutCollation(db);
  db.exec("UPDATE notes SET flds = flds || ' '");
  putBackCollation(db, originals);
  db.exec('COMMIT');
  const rest = db.prepare("SELECT name, sql FROM sqlite_schema WHERE name LIKE '%addon'").all();
  assert.deepEqual(rest.map(Object.values), [['addon', 'CREATE TABLE addon (name text COLLATE unicase)']]);
});
