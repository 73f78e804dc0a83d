import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { downgradeToSchema11 } from './downgrade.ts';
import { parseJson } from './json.ts';
import { collections11, comparable, openCollection, rowsOf } from './testing/fixtures.ts';

const smallObjects = ['models', 'decks', 'dconf', 'tags', 'conf'];

for (const name of collections11.filter((one) => one !== 'anki-2.1.15')) {
  test(`the downgrade of "${name}" equals that of the official client`, () => {
    using ours = openCollection(name);
    using theirs = openCollection(`schema11/${name}`);
    downgradeToSchema11(ours);
    for (const column of smallObjects) assert.deepEqual(jsonColumn(ours, column), jsonColumn(theirs, column), column);
    for (const table of ['notes', 'cards', 'revlog', 'graves']) {
      const query = `SELECT * FROM ${table} ORDER BY 1, 2, 3`;
      assert.deepEqual(rowsOf(ours, query), rowsOf(theirs, query), table);
    }
    assert.deepEqual(rowsOf(ours, meta), rowsOf(theirs, meta));
    assert.deepEqual(namesOf(ours), namesOf(theirs));
    assert.deepEqual(rowsOf(ours, 'PRAGMA integrity_check'), [['ok']]);
  });
}

const meta = 'SELECT id, crt, mod, scm, ver, dty, usn, ls FROM col';

function jsonColumn(db: DatabaseSync, column: string): unknown {
  const text = rowsOf(db, `SELECT ${column} FROM col`)[0]?.[0];
  return comparable(parseJson(String(text)));
}

/** Tables and indexes with their columns; the texts differ between releases. */
function namesOf(db: DatabaseSync): unknown {
  return rowsOf(
    db,
    "SELECT type, lower(name), lower(tbl_name) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 2",
  );
}
