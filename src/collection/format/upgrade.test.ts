import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { Statements } from '../../storage/exact-rows.ts';
import { decodeBlob, encodeBlob } from './blobs.ts';
import { deckToJson } from './deck.ts';
import { deckConfigToJson } from './deck-config.ts';
import { downgradeToSchema11 } from './downgrade.ts';
import { FormatError } from './format-error.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson, stringifyJson } from './json.ts';
import { notetypeToJson } from './notetype.ts';
import {
  DeckCommonSchema,
  DeckConfigConfigSchema,
  FieldConfigSchema,
  NotetypeConfigSchema,
  TemplateConfigSchema,
} from './proto/collection_pb.ts';
import { readDeckConfigs, readDecks, readNotetypes } from './stored-objects.ts';
import { hexOf, hexWithSortedKeys } from './testing/bytes.ts';
import { collections11, openCollection, rowsOf } from './testing/fixtures.ts';
import { upgradeToSchema18 } from './upgrade.ts';

const options = { usnForChanged: -1, nowSecs: 1_800_000_000 };

for (const name of collections11) {
  test(`the upgrade of "${name}" equals that of the official server`, () => {
    using ours = openCollection(`schema11/${name}`);
    using theirs = openCollection(`schema11-upgraded/${name}`);
    upgradeToSchema18(ours, options);
    for (const query of tables) assert.deepEqual(comparableRows(ours, query), comparableRows(theirs, query), query);
    assert.deepEqual(declarations(ours), declarations(theirs));
    assert.deepEqual(rowsOf(ours, 'PRAGMA integrity_check'), [['ok']]);
  });
}

test('a file of schema 16 becomes what the current release makes of it', () => {
  using ours = openCollection('other-releases/2.1.40-schema16');
  using theirs = openCollection('other-releases/2.1.40-then-current');
  upgradeToSchema18(ours, options);
  for (const query of tables) assert.deepEqual(comparableRows(ours, query), comparableRows(theirs, query), query);
  assert.deepEqual(declarations(ours), declarations(theirs));
  assert.deepEqual(rowsOf(ours, 'PRAGMA integrity_check'), [['ok']]);
});

for (const version of [14, 15, 17] as const) {
  test(`a file of schema ${version} becomes schema 18 without a loss`, () => {
    for (const name of ['rich', 'non-ascii-names', 'fresh-server']) {
      using ours = openCollection(name);
      using expected = openCollection(name);
      makeOlder(ours, version);
      if (version < 17) expected.exec('UPDATE tags SET collapsed = 1');
      if (version < 15) expected.exec('UPDATE templates SET mtime_secs = 0, usn = 0');
      upgradeToSchema18(ours, options);
      for (const query of tables) {
        assert.deepEqual(comparableRows(ours, query), comparableRows(expected, query), `${name}: ${query}`);
      }
      assert.deepEqual(rowsOf(ours, 'PRAGMA integrity_check'), [['ok']]);
    }
  });
}

test('names that differ only in case, or that Anki cannot keep, are changed, and the deck says so', () => {
  using db = openCollection('schema11/fresh-empty');
  const deck = onlyMember(db, 'decks');
  setJson(db, 'decks', {
    '1': deck,
    '50': { ...deck, id: '50', name: 'Straße', mod: '1234' },
    '51': { ...deck, id: 51, name: 'STRASSE' },
    '52': { ...deck, id: 52, name: ' A:::B:x: ' },
    '53': { ...deck, id: 53, name: 'A::B:x' },
  });
  upgradeToSchema18(db, { usnForChanged: 3, nowSecs: 99 });
  assert.deepEqual(rowsOf(db, 'SELECT id, name, mtime_secs, usn FROM decks WHERE id > 1 ORDER BY id'), [
    [50, 'Straße', 1234, 0],
    [51, 'STRASSE_', 99, 3],
    [52, 'A\x1fB:x', 99, 3],
    [53, 'A\x1fB:x_', 99, 3],
  ]);
});

test('names of notetypes, fields and templates come to NFC and differ, without a new time', () => {
  using db = openCollection('schema11/fresh-empty');
  const [notetype] = Object.values(jsonOf(db, 'models'));
  assert.ok(isJsonObject(notetype));
  const [field] = listOf(notetype.flds);
  const flds = ['Same', 'SAME', 'e\u0301', 'same+'].map((name) => ({ ...field, name, ord: 7 }));
  const tmpls = ['T', 't'].map((name) => ({ name, qfmt: '' }));
  setJson(db, 'models', {
    '5': { ...notetype, id: 5, name: 'e\u0301', flds, tmpls },
    '6': { ...notetype, id: '6', name: 'É', flds: [], tmpls: [], mod: 8, usn: 2 },
  });
  upgradeToSchema18(db, options);
  assert.deepEqual(rowsOf(db, 'SELECT id, name, mtime_secs, usn FROM notetypes ORDER BY id'), [
    [5, 'é', Number(notetype.mod), Number(notetype.usn)],
    [6, 'É_', 8, 2],
  ]);
  assert.deepEqual(rowsOf(db, 'SELECT ord, name FROM fields ORDER BY ord'), [
    [0, 'Same'],
    [1, 'SAME+'],
    [2, 'é'],
    [3, 'same++'],
  ]);
  assert.deepEqual(rowsOf(db, 'SELECT ord, name, mtime_secs, usn FROM templates ORDER BY ord'), [
    [0, 'T', 0, 0],
    [1, 't+', 0, 0],
  ]);
});

test('the id outside a deck config counts, and of equal tags and graves the first stays', () => {
  using db = openCollection('schema11/fresh-empty');
  const deckConfig = onlyMember(db, 'dconf');
  setJson(db, 'dconf', { '70': { ...deckConfig, id: 1, name: 'a' }, '-3': { ...deckConfig, id: '70', name: 'A' } });
  setJson(db, 'tags', { Foo: 3, foo: 4, 'ü::x': 0 });
  db.exec('INSERT INTO graves (usn, oid, type) VALUES (4, 100, 0), (5, 100, 0), (6, 100, 1)');
  upgradeToSchema18(db, options);
  assert.deepEqual(rowsOf(db, 'SELECT id, name FROM deck_config ORDER BY id'), [
    [-3, 'A'],
    [70, 'a'],
  ]);
  assert.deepEqual(rowsOf(db, 'SELECT tag, usn, collapsed, config FROM tags ORDER BY usn'), [
    ['ü::x', 0, 1, null],
    ['Foo', 3, 1, null],
  ]);
  assert.deepEqual(rowsOf(db, 'SELECT oid, type, usn FROM graves ORDER BY usn'), [
    [100, 0, 4],
    [100, 1, 6],
  ]);
});

test('starting eases up to 130 % go back to 250 %, with the cards of such decks up to 200 %', () => {
  using db = openCollection('schema11/rich');
  const deckConfig = Object.values(jsonOf(db, 'dconf'))[0];
  const deck = jsonOf(db, 'decks')['1'];
  assert.ok(isJsonObject(deckConfig) && isJsonObject(deck) && isJsonObject(deckConfig.new));
  const part = deckConfig.new;
  const withEase = (initialFactor: number) => ({ ...deckConfig, new: { ...part, initialFactor } });
  setJson(db, 'dconf', { '1': withEase(1310), '2': withEase(1300), '3': withEase(0), '4': withEase(1312) });
  setJson(db, 'decks', { '1': deck, '7': { ...deck, id: 7, name: 'low', conf: 2 } });
  db.exec('UPDATE cards SET usn = 1, did = 1, odid = 0, factor = 1900');
  const [first, second, third, fourth] = rowsOf(db, 'SELECT id FROM cards ORDER BY id').map(([id]) => Number(id));
  db.exec(
    `UPDATE cards SET did = 7 WHERE id IN (${first}, ${second}, ${third}); UPDATE cards SET odid = 7 WHERE id = ${fourth}`,
  );
  db.exec(`UPDATE cards SET factor = 0 WHERE id = ${second}; UPDATE cards SET factor = 2001 WHERE id = ${third}`);
  upgradeToSchema18(db, { usnForChanged: 9, nowSecs: 99 });
  assert.deepEqual(rowsOf(db, 'SELECT id, factor FROM cards WHERE usn = 9 ORDER BY id'), [
    [first, 2500],
    [fourth, 2500],
  ]);
  downgradeToSchema11(db);
  const eases = Object.entries(jsonOf(db, 'dconf')).map(([id, one]) => [id, memberAt(one, 'new', 'initialFactor')]);
  assert.deepEqual(eases, [
    ['1', 1310],
    ['2', 2500],
    ['3', 2500],
    ['4', 1311],
  ]);
});

test('what Anki refuses to upgrade is refused', () => {
  const damages = [
    "UPDATE col SET models = '[]'",
    "UPDATE col SET models = '{'",
    `UPDATE col SET models = '{"5":5}'`,
    `UPDATE col SET models = replace(models, '"css"', '"xss"')`,
    "UPDATE col SET decks = ''",
    `UPDATE col SET decks = replace(decks, '"1":{', '"01":{')`,
    `UPDATE col SET decks = replace(decks, '"id":1,', '"id":0,')`,
    `UPDATE col SET dconf = replace(dconf, '"maxTaken":60', '"maxTaken":60.0')`,
    `UPDATE col SET tags = '{"a":1.0}'`,
    `UPDATE col SET conf = '{"a":1e400}'`,
    'UPDATE col SET ver = 10',
    'UPDATE col SET ver = 12',
    'UPDATE col SET ver = 18',
    'UPDATE col SET ver = 14',
    'DELETE FROM col',
    'DROP TABLE revlog',
    'DROP TABLE graves',
  ];
  for (const damage of damages) {
    using db = openCollection('schema11/fresh-empty');
    db.exec(damage);
    assert.throws(() => upgradeToSchema18(db, options), FormatError, damage);
  }
  for (const name of [
    'missing-table-11',
    'models-no-json',
    'notetype-without-css',
    'dconf-fraction',
    '11-named-14',
    'ver-12',
  ]) {
    using db = openCollection(`uploads/${name}`);
    assert.throws(() => upgradeToSchema18(db, options), FormatError, name);
  }
});

/** Turns a file of schema 18 back into what an older release had, by hand. */
function makeOlder(db: DatabaseSync, version: 14 | 15 | 17): void {
  db.exec(`
    CREATE TEMP TABLE old_graves AS SELECT usn, oid, type FROM graves;
    DROP TABLE graves;
    CREATE TABLE graves (usn integer NOT NULL, oid integer NOT NULL, type integer NOT NULL);
    INSERT INTO graves SELECT usn, oid, type FROM old_graves;
    UPDATE col SET ver = ${version};
  `);
  if (version === 17) return;
  db.exec(`
    CREATE TEMP TABLE old_tags AS SELECT tag, usn FROM tags;
    DROP TABLE tags;
    CREATE TABLE tags (tag text NOT NULL PRIMARY KEY, usn integer NOT NULL) without rowid;
    INSERT INTO tags SELECT tag, usn FROM old_tags;
  `);
  const statements = new Statements(db);
  const deckConfigs = readDeckConfigs(statements);
  for (const row of deckConfigs) {
    const blob = version === 14 ? Buffer.from(stringifyJson(deckConfigToJson(row))) : withEaseAsPercent(row.config);
    statements.run('UPDATE deck_config SET config = ? WHERE id = ?', blob, row.id);
  }
  if (version === 15) return;
  const models = readNotetypes(statements).map((one) => [one.id, notetypeToJson(one)]);
  const decks = readDecks(statements).map((one) => [one.id, deckToJson(one)]);
  setJson(db, 'models', Object.fromEntries(models));
  setJson(db, 'decks', Object.fromEntries(decks));
  db.exec('DROP TABLE fields; DROP TABLE templates; DROP TABLE notetypes; DROP TABLE decks');
  db.exec('DROP INDEX idx_notes_mid; DROP INDEX idx_cards_odid');
}

function withEaseAsPercent(blob: Uint8Array): Uint8Array {
  const config = decodeBlob(DeckConfigConfigSchema, blob, 'config');
  config.initialEase *= 100;
  return encodeBlob(DeckConfigConfigSchema, config);
}

function jsonOf(db: DatabaseSync, column: string): JsonObject {
  const value = parseJson(String(rowsOf(db, `SELECT ${column} FROM col`)[0]?.[0]));
  assert.ok(isJsonObject(value));
  return value;
}

function setJson(db: DatabaseSync, column: string, value: JsonObject): void {
  db.prepare(`UPDATE col SET ${column} = ?`).run(stringifyJson(value));
}

function onlyMember(db: DatabaseSync, column: string): JsonObject {
  const member = jsonOf(db, column)['1'];
  assert.ok(isJsonObject(member));
  return member;
}

function listOf(value: JsonValue | undefined): JsonObject[] {
  assert.ok(Array.isArray(value));
  return value.filter(isJsonObject);
}

function memberAt(value: JsonValue | undefined, ...path: string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((at, key) => (isJsonObject(at) ? at[key] : undefined), value);
}

const tables = [
  'SELECT id, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col',
  'SELECT * FROM notes',
  'SELECT * FROM cards',
  'SELECT * FROM revlog',
  'SELECT oid, type, usn FROM graves',
  'SELECT key, usn, mtime_secs, val FROM config',
  'SELECT id, name, mtime_secs, usn, config FROM deck_config',
  'SELECT id, name, mtime_secs, usn, config FROM notetypes',
  'SELECT ntid, ord, name, config FROM fields',
  'SELECT ntid, ord, name, mtime_secs, usn, config FROM templates',
  'SELECT id, name, mtime_secs, usn, common, kind FROM decks',
  'SELECT tag, usn, collapsed, config FROM tags',
];

const hexOfBlob: Readonly<Record<string, (blob: Uint8Array) => string>> = {
  notetypes: (blob) => hexWithSortedKeys(NotetypeConfigSchema, blob),
  fields: (blob) => hexWithSortedKeys(FieldConfigSchema, blob),
  templates: (blob) => hexWithSortedKeys(TemplateConfigSchema, blob),
  deck_config: (blob) => hexWithSortedKeys(DeckConfigConfigSchema, blob),
  'decks.common': (blob) => hexWithSortedKeys(DeckCommonSchema, blob),
};

/** Sorted rows, blobs as hexadecimal digits. */
function comparableRows(db: DatabaseSync, query: string): string[] {
  const table = query.split(' FROM ')[1] ?? '';
  const rows = rowsOf(db, query).map((row) =>
    row.map((value, column) => {
      if (!(value instanceof Uint8Array)) return String(value);
      const schema = table === 'decks' && column === 4 ? 'decks.common' : table;
      return (hexOfBlob[schema] ?? hexOf)(value);
    }),
  );
  return rows.map((row) => row.join(' | ')).sort();
}

function declarations(db: DatabaseSync): unknown {
  return rowsOf(db, "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1");
}
