import type { DatabaseSync } from 'node:sqlite';
import { Statements } from '../../storage/exact-rows.ts';
import { FormatError } from './format-error.ts';
import { assertTables, BIG_TABLES } from './required-tables.ts';
import {
  GRAVES_INDEX,
  GRAVES_TABLE,
  INDEXES_OF_15,
  SMALL_TABLES,
  type SmallTable,
  withoutUnicase,
} from './schema18.ts';
import { raiseLowEases } from './upgrade-ease.ts';
import {
  convertConfig,
  convertDeckConfigs,
  convertDecks,
  convertNotetypes,
  convertTags,
  deckConfigsToBlobs,
  type UpgradeOptions,
} from './upgrade-objects.ts';

export type { UpgradeOptions } from './upgrade-objects.ts';

/** Versions that clients of Anki have left in files, but for 18. */
const upgradableVersions = [11, 14, 15, 16, 17];

const TABLES_OF_14: readonly SmallTable[] = ['deck_config', 'config', 'tags'];
const TABLES_OF_15: readonly SmallTable[] = ['fields', 'templates', 'notetypes', 'decks'];

const VERSION = 'SELECT ver FROM col';
const FINISH_COL = "UPDATE col SET conf = '', models = '', decks = '', dconf = '', tags = '', ver = 18";

const REBUILD_TAGS = `
  CREATE TEMP TABLE kept_tags AS SELECT tag, usn FROM main.tags;
  DROP TABLE main.tags;
  ${withoutUnicase(SMALL_TABLES.tags)};
  INSERT INTO main.tags (tag, usn, collapsed, config) SELECT tag, usn, 1, NULL FROM temp.kept_tags;
  DROP TABLE temp.kept_tags;
`;

/** Of equal graves the first one stays. */
const REBUILD_GRAVES = `
  CREATE TEMP TABLE kept_graves AS SELECT oid, type, usn FROM main.graves ORDER BY rowid;
  DROP TABLE main.graves;
  ${GRAVES_TABLE};
  INSERT OR IGNORE INTO main.graves (oid, type, usn) SELECT oid, type, usn FROM temp.kept_graves ORDER BY rowid;
  DROP TABLE temp.kept_graves;
  ${GRAVES_INDEX};
`;

/**
 * Turns a file of schema 11, 14, 15, 16 or 17 into schema 18 in working form (no collation declared, names sorted by
 * bytes, all names different by `unicase`), as Anki does on opening it. Nothing is invented or repaired beyond what
 * Anki does; `mod`, `scm` and `usn` of the collection stay.
 *
 * Runs inside the caller's transaction, on a file whose declarations do not name the collation any more. Throws
 * `FormatError` for a file that Anki would refuse; the caller rolls back. Statistics for the query planner, which Anki
 * gathers here, are left to whoever wants them.
 */
export function upgradeToSchema18(db: DatabaseSync, options: UpgradeOptions): void {
  const statements = new Statements(db);
  const version = readVersion(statements);
  if (version >= 14) sortNamesByBytes(db, version);
  if (version < 14) {
    createTables(db, TABLES_OF_14);
    convertDeckConfigs(statements);
    convertConfig(statements);
    convertTags(statements);
  }
  if (version < 15) {
    createTables(db, TABLES_OF_15);
    for (const sql of INDEXES_OF_15) db.exec(sql);
    convertNotetypes(statements);
    convertDecks(statements, options);
  }
  if (version === 14) deckConfigsToBlobs(statements);
  if (version < 16) raiseLowEases(statements, { isPercent: version === 15, usn: options.usnForChanged });
  if (version >= 14 && version < 17) db.exec(REBUILD_TAGS);
  db.exec(REBUILD_GRAVES);
  db.exec(FINISH_COL);
}

/** The schema version of a file that can be upgraded, after a look whether its tables are there. */
function readVersion(statements: Statements): number {
  const version = statements.get(VERSION)?.[0];
  if (typeof version !== 'number' || !upgradableVersions.includes(version)) {
    throw new FormatError(`The collection has schema version ${version}, which cannot be upgraded`);
  }
  assertTables(statements, [...BIG_TABLES, ...smallTablesOf(version)]);
  return version;
}

function smallTablesOf(version: number): readonly SmallTable[] {
  return [...(version >= 14 ? TABLES_OF_14 : []), ...(version >= 15 ? TABLES_OF_15 : [])];
}

/** Without its collation declared, a b-tree still has its order; until it is sorted anew, look-ups in it go wrong. */
function sortNamesByBytes(db: DatabaseSync, version: number): void {
  for (const table of smallTablesOf(version)) db.exec(`REINDEX main.${table}`);
}

function createTables(db: DatabaseSync, tables: readonly SmallTable[]): void {
  for (const table of tables) db.exec(withoutUnicase(SMALL_TABLES[table]));
}
