import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type Column, shapeProblem, type Tables } from './collection-shape.ts';
import { SCHEMA_11 } from './schema-11.ts';

/** Tables as the declarations make them, after a change. */
function tablesOf(change: string): Tables {
  const db = new DatabaseSync(':memory:');
  db.exec(`${SCHEMA_11}; ${change}`);
  const tables = new Map<string, Column[]>();
  for (const { name: table } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()) {
    const columns = db.prepare(`PRAGMA table_info("${table}")`).all();
    const read = columns.map(({ name, notnull, dflt_value, pk }) => ({
      name: String(name).toLowerCase(),
      mustBeGiven: notnull === 1 && dflt_value === null && pk === 0,
      keyPosition: Number(pk),
    }));
    tables.set(String(table).toLowerCase(), read);
  }
  db.close();
  return tables;
}

test('a collection of schema 11 has the tables that Anki needs, and may have more', () => {
  const harmless =
    'CREATE TABLE addon (x); ALTER TABLE notes ADD COLUMN addon; ALTER TABLE cards ADD COLUMN a int NOT NULL DEFAULT 1';
  assert.equal(shapeProblem(11, tablesOf('')), undefined);
  assert.equal(shapeProblem(11, tablesOf(harmless)), undefined);
});

test('what Anki could not work with has a name', () => {
  const problems: [unknown, string, RegExp][] = [
    [10, '', /^schema version 10$/],
    [13, '', /^schema version 13$/],
    ['11', '', /^schema version 11$/],
    [null, '', /^schema version null$/],
    [18, '', /another primary key in table graves/],
    [14, '', /no table config/],
    [11, 'DROP TABLE revlog', /no table revlog/],
    [11, 'ALTER TABLE notes DROP COLUMN data', /no column data in table notes/],
    [11, 'DROP TABLE graves; CREATE TABLE graves (usn, oid, type, why text NOT NULL)', /graves demands .* why/],
    [
      11,
      'DROP TABLE revlog; CREATE TABLE revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type)',
      /primary key/,
    ],
  ];
  for (const [version, change, problem] of problems)
    assert.match(shapeProblem(version, tablesOf(change)) ?? '', problem);
});
