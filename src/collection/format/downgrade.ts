import type { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../errors.ts';
import { type SqlRow, Statements } from '../../storage/exact-rows.ts';
import { blobColumn, textColumn, usnColumn } from './column-values.ts';
import { deckToJson } from './deck.ts';
import { deckConfigToJson } from './deck-config.ts';
import { FormatError } from './format-error.ts';
import { type JsonValue, parseJsonBytes, stringifyJson } from './json.ts';
import { notetypeToJson } from './notetype.ts';
import { assertTables, BIG_TABLES } from './required-tables.ts';
import { SMALL_TABLES } from './schema18.ts';
import { readDeckConfigs, readDecks, readNotetypes } from './stored-objects.ts';

const FILL_COL =
  'UPDATE col SET models = :models, decks = :decks, dconf = :dconf, tags = :tags, conf = :conf, ver = 11';

const CONFIG = 'SELECT key, val FROM config';
const TAGS = 'SELECT tag, usn FROM tags';

const REBUILD_GRAVES = `
  CREATE TEMP TABLE kept_graves AS SELECT usn, oid, type FROM main.graves;
  DROP TABLE main.graves;
  CREATE TABLE main.graves (
    usn integer NOT NULL,
    oid integer NOT NULL,
    type integer NOT NULL
  );
  INSERT INTO main.graves (usn, oid, type) SELECT usn, oid, type FROM temp.kept_graves;
  DROP TABLE temp.kept_graves;
`;

/** Their indexes go with them. The two indexes belong to tables that stay. */
const DROP_NEWER = `
  DROP TABLE config;
  DROP TABLE deck_config;
  DROP TABLE tags;
  DROP TABLE fields;
  DROP TABLE templates;
  DROP TABLE notetypes;
  DROP TABLE decks;
  DROP INDEX IF EXISTS idx_cards_odid;
  DROP INDEX IF EXISTS idx_notes_mid;
`;

/**
 * Turns a schema 18 file into schema 11, as Anki does for old clients: the small objects become JSON in `col`. Nothing
 * else of `col` changes, nor any note, card or review, so that devices find the collection they know.
 *
 * Runs inside the caller's transaction, on a file whose declarations do not name the collation. Throws `FormatError`
 * for a file that Anki could not convert either; the caller rolls back. Switching the journal off is the caller's part.
 */
export function downgradeToSchema11(db: DatabaseSync): void {
  const statements = new Statements(db);
  assertTables(statements, [...BIG_TABLES, ...Object.keys(SMALL_TABLES)]);
  const tags = statements
    .all(TAGS)
    .map((row) => [textColumn(row[0], 'tag'), usnColumn(row[1], 'usn of a tag')] as const);
  const columns = {
    models: asText(readNotetypes(statements).map((one) => [String(one.id), notetypeToJson(one)])),
    decks: asText(readDecks(statements).map((one) => [String(one.id), deckToJson(one)])),
    dconf: asText(readDeckConfigs(statements).map((one) => [String(one.id), deckConfigToJson(one)])),
    tags: asText(tags, { sortKeys: true }),
    conf: asText(statements.all(CONFIG).map(configMember), { sortKeys: true }),
  };
  db.exec(REBUILD_GRAVES);
  db.prepare(FILL_COL).run(columns);
  db.exec(DROP_NEWER);
}

function asText(entries: readonly (readonly [string, JsonValue])[], options?: { sortKeys: boolean }): string {
  return stringifyJson(Object.fromEntries(entries), options);
}

function configMember(row: SqlRow): [string, JsonValue] {
  const key = textColumn(row[0], 'key of a config value');
  try {
    return [key, parseJsonBytes(blobColumn(row[1], 'value'))];
  } catch (cause) {
    throw new FormatError(`The config value "${key}" cannot be read: ${messageOf(cause)}`, { cause });
  }
}
