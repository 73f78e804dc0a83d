/**
 * Declarations of schema 18 that schema 11 has not, letter for letter as Anki writes them (`COLLATE unicase` included).
 * Source: files that the official server upgraded.
 */
export const SMALL_TABLES = {
  deck_config: `CREATE TABLE deck_config (
  id integer PRIMARY KEY NOT NULL,
  name text NOT NULL COLLATE unicase,
  mtime_secs integer NOT NULL,
  usn integer NOT NULL,
  config blob NOT NULL
)`,
  config: `CREATE TABLE config (
  KEY text NOT NULL PRIMARY KEY,
  usn integer NOT NULL,
  mtime_secs integer NOT NULL,
  val blob NOT NULL
) without rowid`,
  fields: `CREATE TABLE fields (
  ntid integer NOT NULL,
  ord integer NOT NULL,
  name text NOT NULL COLLATE unicase,
  config blob NOT NULL,
  PRIMARY KEY (ntid, ord)
) without rowid`,
  templates: `CREATE TABLE templates (
  ntid integer NOT NULL,
  ord integer NOT NULL,
  name text NOT NULL COLLATE unicase,
  mtime_secs integer NOT NULL,
  usn integer NOT NULL,
  config blob NOT NULL,
  PRIMARY KEY (ntid, ord)
) without rowid`,
  notetypes: `CREATE TABLE notetypes (
  id integer NOT NULL PRIMARY KEY,
  name text NOT NULL COLLATE unicase,
  mtime_secs integer NOT NULL,
  usn integer NOT NULL,
  config blob NOT NULL
)`,
  decks: `CREATE TABLE decks (
  id integer PRIMARY KEY NOT NULL,
  name text NOT NULL COLLATE unicase,
  mtime_secs integer NOT NULL,
  usn integer NOT NULL,
  common blob NOT NULL,
  kind blob NOT NULL
)`,
  tags: `CREATE TABLE tags (
  tag text NOT NULL PRIMARY KEY COLLATE unicase,
  usn integer NOT NULL,
  collapsed boolean NOT NULL,
  config blob NULL
) without rowid`,
} as const;

export type SmallTable = keyof typeof SMALL_TABLES;

/** Graves are told apart by what was deleted; schema 11 could hold the same one twice. */
export const GRAVES_TABLE = `CREATE TABLE graves (
  oid integer NOT NULL,
  type integer NOT NULL,
  usn integer NOT NULL,
  PRIMARY KEY (oid, type)
) WITHOUT ROWID`;
export const GRAVES_INDEX = 'CREATE INDEX idx_graves_pending ON graves (usn)';

/** Indexes that came with schema 15, those on the big tables included. */
export const INDEXES_OF_15 = [
  'CREATE UNIQUE INDEX idx_fields_name_ntid ON fields (name, ntid)',
  'CREATE UNIQUE INDEX idx_templates_name_ntid ON templates (name, ntid)',
  'CREATE INDEX idx_templates_usn ON templates (usn)',
  'CREATE UNIQUE INDEX idx_notetypes_name ON notetypes (name)',
  'CREATE INDEX idx_notetypes_usn ON notetypes (usn)',
  'CREATE UNIQUE INDEX idx_decks_name ON decks (name)',
  'CREATE INDEX idx_notes_mid ON notes (mid)',
  'CREATE INDEX idx_cards_odid ON cards (odid)\nWHERE odid != 0',
] as const;

/** A declaration in working form: the same text without the collation. */
export function withoutUnicase(sql: string): string {
  return sql.replaceAll(' COLLATE unicase', '');
}
