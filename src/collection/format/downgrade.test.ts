import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { downgradeToSchema11 } from './downgrade.ts';
import { FormatError } from './format-error.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from './json.ts';
import {
  collections11,
  collections18,
  comparable,
  handedOut,
  openCollection,
  readHandedOut,
  rowsOf,
} from './testing/fixtures.ts';
import { upgradeToSchema18 } from './upgrade.ts';

const smallObjects = ['models', 'decks', 'dconf', 'tags', 'conf'];

for (const name of collections11.filter((one) => one !== 'anki-2.1.15')) {
  test(`the downgrade of "${name}" equals that of the official client`, () => {
    using ours = openCollection(name);
    using theirs = openCollection(`schema11/${name}`);
    downgradeToSchema11(ours);
    for (const column of smallObjects) {
      assert.deepEqual(comparable(jsonColumn(ours, column)), comparable(jsonColumn(theirs, column)), column);
    }
    for (const table of ['notes', 'cards', 'revlog', 'graves']) {
      const query = `SELECT * FROM ${table} ORDER BY 1, 2, 3`;
      assert.deepEqual(rowsOf(ours, query), rowsOf(theirs, query), table);
    }
    assert.deepEqual(rowsOf(ours, meta), rowsOf(theirs, meta));
    assert.deepEqual(namesOf(ours), namesOf(theirs));
    assert.deepEqual(rowsOf(ours, 'PRAGMA integrity_check'), [['ok']]);
  });
}

for (const { name, file } of handedOut) {
  test(`old clients get the objects of "${name}" that new ones get`, () => {
    using db = openCollection(file);
    downgradeToSchema11(db);
    for (const [column, part] of [
      ['models', 'notetypes'],
      ['decks', 'decks'],
      ['dconf', 'deck-configs'],
    ] as const) {
      const members = Object.values(objectOf(jsonColumn(db, column)));
      // The official server was asked for everything from usn 0 on; an upgraded file may hold objects with usn -1.
      const ours = members.filter((one) => isJsonObject(one) && Number(one.usn) >= 0);
      assert.deepEqual(comparable(ours), comparable(readHandedOut(name, part)), column);
    }
  });
}

test('a file that went down and up again is the same to old clients', () => {
  for (const name of collections18) {
    using once = openCollection(name);
    using twice = openCollection(name);
    for (const db of [once, twice]) downgradeToSchema11(db);
    upgradeToSchema18(twice, { usnForChanged: 0, nowSecs: 0 });
    downgradeToSchema11(twice);
    for (const column of smallObjects) {
      assert.deepEqual(
        comparable(jsonColumn(twice, column)),
        comparable(jsonColumn(once, column)),
        `${name}: ${column}`,
      );
    }
  }
});

test('an empty collection becomes empty JSON objects, and indexes may be missing', () => {
  using db = openCollection('uploads/empty-18');
  db.exec('DROP INDEX idx_cards_odid; DROP INDEX idx_notes_mid');
  downgradeToSchema11(db);
  for (const column of ['models', 'decks', 'dconf', 'tags']) assert.deepEqual(jsonColumn(db, column), {});
});

test('config values keep their JSON, nested keys sorted', () => {
  using db = openCollection('fresh-empty');
  setConfig(db, '__proto__', '{"z":1,"a":[1e2,18446744073709551615,{"y":null,"b":2}]}');
  downgradeToSchema11(db);
  const text = String(rowsOf(db, 'SELECT conf FROM col')[0]?.[0]);
  assert.ok(text.includes('"__proto__":{"a":[100.0,18446744073709551615,{"b":2,"y":null}],"z":1}'), text);
});

test('a file that Anki could not convert is refused', () => {
  const damages = [
    "UPDATE decks SET common = 'text'",
    "UPDATE decks SET kind = x''",
    "UPDATE decks SET kind = x'0A05'",
    "UPDATE decks SET usn = 'x'",
    'UPDATE decks SET mtime_secs = 1.5',
    "UPDATE notetypes SET config = x'1A02C328'",
    "UPDATE notetypes SET name = x'41' WHERE id = (SELECT min(id) FROM notetypes)",
    'DROP TABLE templates',
    'UPDATE fields SET ord = -1 WHERE ord = 0',
    "UPDATE templates SET config = 'x'",
    "UPDATE deck_config SET config = x'5D00'",
    "UPDATE config SET val = 'true'",
    "UPDATE config SET val = x'FF'",
    "UPDATE config SET val = CAST('{' AS BLOB)",
    "INSERT INTO tags VALUES (x'41', 0, 0, NULL)",
    "INSERT INTO tags VALUES ('a', 'b', 0, NULL)",
  ];
  for (const damage of damages) {
    using db = openCollection('fresh-empty');
    db.exec(damage);
    assert.throws(() => downgradeToSchema11(db), FormatError, damage);
  }
  using db = openCollection('uploads/broken-blob');
  assert.throws(() => downgradeToSchema11(db), FormatError);
});

function setConfig(db: DatabaseSync, key: string, text: string): void {
  db.prepare('INSERT INTO config VALUES (?, 0, 0, ?)').run(key, Buffer.from(text));
}

function objectOf(value: JsonValue): JsonObject {
  assert.ok(isJsonObject(value));
  return value;
}

const meta = 'SELECT id, crt, mod, scm, ver, dty, usn, ls FROM col';

function jsonColumn(db: DatabaseSync, column: string): JsonValue {
  return parseJson(String(rowsOf(db, `SELECT ${column} FROM col`)[0]?.[0]));
}

/** Names of tables and indexes; the texts of their declarations differ between releases. */
function namesOf(db: DatabaseSync): unknown {
  return rowsOf(
    db,
    "SELECT type, lower(name), lower(tbl_name) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 2",
  );
}
