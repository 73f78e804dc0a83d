import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import {
  DeckCommonSchema,
  DeckConfigConfigSchema,
  FieldConfigSchema,
  NotetypeConfigSchema,
  TemplateConfigSchema,
} from './proto/collection_pb.ts';
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
