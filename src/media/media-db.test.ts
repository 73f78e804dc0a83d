import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { sha1Of, TemporaryUser } from '../../test/support/media.ts';
import { SyncError } from '../errors.ts';
import { MediaDb, type MediaEntry } from './media-db.ts';

const entry = (text: string, usn: number, size = text.length): MediaEntry => ({
  sha1: sha1Of(text),
  size,
  usn,
  mtimeSecs: 1000 + usn,
});

test('a new index is the official one, empty', () => {
  using user = new TemporaryUser();
  const file = user.folder.mediaDb;
  {
    using db = new MediaDb(file);
    assert.deepEqual([db.lastUsn, db.fileCount, db.recounted, db.changesAfter(-1, 10)], [0, 0, false, []]);
    assert.deepEqual(readdirSync(user.folder.root), ['media.db', 'media.db-wal']);
  }
  assert.deepEqual(readdirSync(user.folder.root), ['media.db']);
  using raw = openRaw(file);
  assert.deepEqual(raw.values('PRAGMA user_version'), [[4]]);
  assert.deepEqual(raw.values('PRAGMA journal_mode'), [['wal']]);
  const columns = (table: string) => raw.values(`SELECT name, type, "notnull", pk FROM pragma_table_info('${table}')`);
  assert.deepEqual(columns('media'), [
    ['fname', 'TEXT', 1, 1],
    ['csum', 'BLOB', 1, 0],
    ['size', 'INT', 1, 0],
    ['usn', 'INT', 1, 0],
    ['mtime', 'INT', 1, 0],
  ]);
  assert.deepEqual(columns('meta'), [
    ['last_usn', 'INT', 1, 0],
    ['total_bytes', 'INT', 1, 0],
    ['total_nonempty_files', 'INT', 1, 0],
  ]);
  assert.deepEqual(raw.values("SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name"), [
    ['ix_usn'],
    ['sqlite_autoindex_media_1'],
  ]);
});

test('the counters follow every update, and all is there after opening again', () => {
  using user = new TemporaryUser();
  const file = user.folder.mediaDb;
  {
    using db = new MediaDb(file);
    save(db, 0, 3, { 'a.txt': entry('A', 1), 'ü.txt': entry('UUU', 2), 'gone.txt': entry('GG', 3, 0) });
    assert.deepEqual([db.lastUsn, db.fileCount], [3, 2]);
    save(db, 3, 5, { 'a.txt': entry('AAAA', 4), 'ü.txt': entry('UUU', 5, 0) });
    assert.deepEqual([db.lastUsn, db.fileCount], [5, 1]);
    save(db, 5, 5, { 'gone.txt': undefined });
  }
  assert.equal(lastUsnOf(file), 5);
  using raw = openRaw(file);
  assert.deepEqual(raw.values('SELECT * FROM meta'), [[5, 4, 1]]);
  assert.deepEqual(raw.values('SELECT fname, lower(hex(csum)), size, usn, mtime FROM media ORDER BY fname'), [
    ['a.txt', sha1Of('AAAA'), 4, 4, 1004],
    ['ü.txt', sha1Of('UUU'), 0, 5, 1005],
  ]);
});

test('changes come in the order of their usn, bounded, deleted ones without a hash', () => {
  using user = new TemporaryUser();
  using db = new MediaDb(user.folder.mediaDb);
  save(db, 0, 4, { z: entry('Z', 1), y: entry('Y', 4), b: entry('B', 2, 0), a: entry('A', 3) });
  assert.deepEqual(db.changesAfter(0, 10), [
    { name: 'z', usn: 1, sha1: sha1Of('Z') },
    { name: 'b', usn: 2, sha1: undefined },
    { name: 'a', usn: 3, sha1: sha1Of('A') },
    { name: 'y', usn: 4, sha1: sha1Of('Y') },
  ]);
  assert.deepEqual(
    db.changesAfter(1, 2).map((change) => change.name),
    ['b', 'a'],
  );
  assert.deepEqual(db.changesAfter(4, 10), []);
});

test('an update of an index that has moved on changes nothing', () => {
  using user = new TemporaryUser();
  using db = new MediaDb(user.folder.mediaDb);
  save(db, 0, 1, { a: entry('A', 1) });
  assert.throws(() => save(db, 0, 1, { b: entry('B', 1) }), /the index is at 1, not at 0/);
  assert.throws(() => save(db, 1, 2, { a: undefined, b: { ...entry('B', 2), size: Number.NaN } }));
  assert.deepEqual(db.entry('a'), entry('A', 1));
  assert.deepEqual([db.entry('b'), db.lastUsn, db.fileCount], [undefined, 1, 1]);
});

test('an index of version 3 becomes version 4, and its counter does not go back', () => {
  using user = new TemporaryUser();
  {
    using raw = openRaw(user.folder.mediaDb);
    raw.db.exec(`
      CREATE TABLE media (fname text not null primary key, csum blob, sz int not null, usn int not null, deleted int not null);
      CREATE INDEX ix_usn ON media (usn);
      CREATE TABLE meta (usn int not null, sz int not null);
      INSERT INTO meta VALUES (50, 99);
      INSERT INTO media VALUES ('a', x'${sha1Of('A')}', 1, 7, 0), ('gone', NULL, 0, 9, 1234), ('odd', x'${sha1Of('O')}', 0, 3, 1234);
      PRAGMA user_version = 3;`);
  }
  assert.equal(lastUsnOf(user.folder.mediaDb), 50);
  using db = new MediaDb(user.folder.mediaDb);
  assert.deepEqual(
    db.changesAfter(0, 10).map(({ name, usn, sha1 }) => [name, usn, sha1]),
    [
      ['odd', 3, undefined],
      ['a', 7, sha1Of('A')],
    ],
  );
  assert.deepEqual([db.lastUsn, db.fileCount, db.recounted], [50, 1, false]);
  assert.deepEqual(db.entry('odd'), { sha1: sha1Of('O'), size: 0, usn: 3, mtimeSecs: 1234 });
});

test('wrong counters of an index are put right when it is opened', () => {
  using user = new TemporaryUser();
  {
    using db = new MediaDb(user.folder.mediaDb);
    save(db, 0, 2, { a: entry('A', 1), b: entry('BB', 2) });
  }
  {
    using raw = openRaw(user.folder.mediaDb);
    raw.db.exec('UPDATE meta SET total_nonempty_files = 7, total_bytes = 0');
  }
  using db = new MediaDb(user.folder.mediaDb);
  assert.deepEqual([db.recounted, db.fileCount, db.lastUsn], [true, 2, 2]);
});

test('an open index belongs to one process; the other one is told so', () => {
  using user = new TemporaryUser();
  using db = new MediaDb(user.folder.mediaDb);
  assert.equal(db.lastUsn, 0);
  const module = JSON.stringify(new URL('./media-db.ts', import.meta.url).href);
  const script = `import(${module}).then(({ MediaDb }) => new MediaDb(${JSON.stringify(user.folder.mediaDb)})).catch((e) => console.log(e.code, e.message))`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.match(stdout, /^serverFault Cannot open the media index .*another program uses it/);
});

test('a file that is no index, or one of the future, is an error and is left alone', () => {
  using user = new TemporaryUser();
  writeFileSync(user.folder.mediaDb, 'no database at all, but long enough to be looked at'.repeat(20));
  assert.throws(() => new MediaDb(user.folder.mediaDb), SyncError);
  using future = new TemporaryUser();
  {
    using raw = openRaw(future.folder.mediaDb);
    raw.db.exec('CREATE TABLE media (x); PRAGMA user_version = 5');
  }
  assert.throws(() => new MediaDb(future.folder.mediaDb), /newer than this server knows/);
  using raw = openRaw(future.folder.mediaDb);
  assert.deepEqual(raw.values('PRAGMA user_version'), [[5]]);
});

function save(db: MediaDb, usnBefore: number, usnAfter: number, entries: Record<string, MediaEntry | undefined>): void {
  db.save({ usnBefore, usnAfter, entries: new Map(Object.entries(entries)) });
}

function openRaw(file: string) {
  const db = new DatabaseSync(file);
  return {
    db,
    values: (sql: string): unknown[] => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement.all() as unknown[];
    },
    [Symbol.dispose]: () => db.close(),
  };
}

/** The counter of an index that nobody has open. */
function lastUsnOf(file: string): number {
  using db = new MediaDb(file);
  return db.lastUsn;
}
