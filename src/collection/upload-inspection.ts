import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { jsonBytesMax, MiB } from '../limits.ts';
import { type SqlValue, Statements } from '../storage/exact-rows.ts';
import { findingOf } from '../storage/sqlite-damage.ts';
import { assertRestorable, quoteName, takeOutCollation, unusableIndexes } from './canonical-form.ts';
import { type Column, shapeProblem } from './collection-shape.ts';
import { downgradeToSchema11 } from './format/downgrade.ts';
import { indexProblem } from './index-check.ts';
import type { SharedIndexCheck } from './shared-index-check.ts';
import { Refusal } from './upload-refusal.ts';

/** What is known of a file that passed all checks that SQLite here can make. */
export interface Inspection {
  /** Schema version: 11, or 14 to 18. */
  readonly version: number;
  /** `col.mod`, epoch milliseconds. */
  readonly mtimeMs: number;
  readonly counts: { readonly notes: number; readonly cards: number; readonly revlog: number };
  /** Tables that use the collation and were therefore not checked. */
  readonly unicaseTables: readonly string[];
  /** SQL that takes out what must not stay, by what it drops: `trigger x`, `view y`, `index z`. */
  readonly toDrop: ReadonlyMap<string, string>;
  /** Does an object wait to be sent, as only clients have them? */
  readonly hasPendingUsns: boolean;
}

/** Anki's tables whose rows are counted by the sanity check, which fails for ever if a usn is -1. */
export const SYNCED_TABLES = ['notes', 'cards', 'revlog', 'graves', 'notetypes', 'decks', 'deck_config', 'tags'];

/** Values of this length may be computed from a small file, bytes: its notetypes as JSON, for example. */
const computedBytesMin = 16 * MiB;

/** Page cache, KiB: the memory that the checks need, whatever the size of the file. */
const cacheKiB = 8 * 1024;

const SCHEMA = 'SELECT type, name, sql FROM sqlite_schema';
const COL = 'SELECT ver, mod, usn, crt, scm, ls FROM col';
const OTHER_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const UNICASE_USERS = "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE sql LIKE '%unicase%'";

/** Sum of these must fit into one message, as it does in the sync of a new device. */
const SMALL_OBJECT_BYTES = `
  SELECT total(length(config)) + (SELECT total(length(config)) FROM fields)
    + (SELECT total(length(config)) FROM templates) + (SELECT total(length(config)) FROM deck_config)
    + (SELECT total(length(common) + length(kind)) FROM decks) + (SELECT total(length(val)) FROM config)
    + (SELECT total(length(tag)) FROM tags)
  FROM notetypes
`;

/** Names as they stand in the file: SQLite hands out texts that are no UTF-8 as if they were. */
const NAMES = `
  SELECT CAST(name AS BLOB) FROM notetypes UNION ALL SELECT CAST(name AS BLOB) FROM fields
  UNION ALL SELECT CAST(name AS BLOB) FROM templates UNION ALL SELECT CAST(name AS BLOB) FROM decks
  UNION ALL SELECT CAST(name AS BLOB) FROM deck_config UNION ALL SELECT CAST(tag AS BLOB) FROM tags
  UNION ALL SELECT CAST(KEY AS BLOB) FROM config
`;

/**
 * Checks an uploaded file natively, in one transaction that is rolled back: the file stays as it is, byte for byte. Not
 * checked are the tables that use the collation. Another thread may help with the indexes. Throws a `Refusal`, a
 * `FormatError` or an error of SQLite for a file that is no good; see `refusalOf`.
 */
export function inspectUpload(file: string, shared?: SharedIndexCheck): Inspection {
  // No value of an honest file is larger than the file; what code in a hostile one makes could be.
  const length = Math.max(computedBytesMin, statSync(file).size);
  const db = new DatabaseSync(file, { enableForeignKeyConstraints: false, limits: { length } });
  try {
    // Exclusive, so that a file in WAL mode gets no -shm beside it. Its own functions and checks are not trusted. The few
    // pages that are changed stay in memory, because the thread that helps reads the file.
    db.exec(`
      PRAGMA locking_mode=EXCLUSIVE;
      PRAGMA trusted_schema=OFF;
      PRAGMA cell_size_check=ON;
      PRAGMA temp_store=MEMORY;
      PRAGMA cache_size=-${cacheKiB};
      PRAGMA cache_spill=OFF;
    `);
    db.exec('BEGIN IMMEDIATE');
    return inspectInTransaction(db, shared);
  } finally {
    db.close();
  }
}

function inspectInTransaction(db: DatabaseSync, shared: SharedIndexCheck | undefined): Inspection {
  const statements = new Statements(db);
  checkOwnTables(statements);
  const toDrop = findCode(statements);
  for (const sql of toDrop.values()) db.exec(sql); // Before any statement that would run a trigger.
  const { version, mtimeMs } = checkShape(db, statements);
  for (const name of unusableIndexes(db)) toDrop.set(`index ${name}`, `DROP INDEX IF EXISTS ${quoteName(name)}`);
  const unicaseTables = statements.all(UNICASE_USERS).map(([name]) => String(name));
  takeOutCollation(db);
  assertRestorable(db);
  checkIntegrity(db, statements, unicaseTables, shared);
  db.exec('PRAGMA cache_spill=ON');
  if (version === 18) checkObjects(db, statements);
  return {
    version,
    mtimeMs,
    counts: {
      notes: countOf(statements, 'notes'),
      cards: countOf(statements, 'cards'),
      revlog: countOf(statements, 'revlog'),
    },
    unicaseTables,
    toDrop,
    hasPendingUsns: version === 18 && SYNCED_TABLES.some((table) => hasPending(statements, table)),
  };
}

/** SQLite's own tables, which the inspection itself rewrites: damage in their pages would not outlast that. */
function checkOwnTables(statements: Statements): void {
  const names = statements.all(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sqlite\\_%' ESCAPE '\\'",
  );
  for (const name of ['sqlite_schema', ...names.map(([one]) => String(one))]) {
    expectOk(statements, `PRAGMA integrity_check(${quoteName(name)})`);
  }
}

/** Triggers and views run inside other people's statements; Anki has none. Virtual tables are code too, and not here. */
function findCode(statements: Statements): Map<string, string> {
  if (statements.get('PRAGMA encoding')?.[0] !== 'UTF-8') throw new Refusal('its text is not UTF-8');
  const toDrop = new Map<string, string>();
  for (const [type, name, sql] of statements.all(SCHEMA)) {
    if (type === 'trigger' || type === 'view') {
      toDrop.set(`${type} ${name}`, `DROP ${type.toUpperCase()} IF EXISTS ${quoteName(String(name))}`);
    }
    if (/^\s*create\s+virtual\b/i.test(String(sql))) throw new Refusal(`virtual table ${name}`);
  }
  return toDrop;
}

/** Whether this is a collection at all: its tables, and its one row of `col`. */
function checkShape(db: DatabaseSync, statements: Statements): { version: number; mtimeMs: number } {
  const names = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map((row) => String(row.name));
  if (!names.some((name) => name.toLowerCase() === 'col')) throw new Refusal('no table col');
  const rows = statements.all(COL);
  const [version, mtimeMs, ...others] = rows[0] ?? [];
  if (rows.length !== 1) throw new Refusal(`${rows.length} rows in table col`);
  const tables = new Map(names.map((name) => [name.toLowerCase(), columnsOf(db, name)]));
  const problem = shapeProblem(version, tables);
  if (problem !== undefined) throw new Refusal(problem);
  if (typeof mtimeMs !== 'number' || !others.every(isPlainInteger) || !isPlainInteger(mtimeMs)) {
    throw new Refusal('a time or usn in table col is no plain integer');
  }
  return { version: Number(version), mtimeMs };
}

function columnsOf(db: DatabaseSync, table: string): Column[] {
  return db
    .prepare(`PRAGMA table_info(${quoteName(table)})`)
    .all()
    .map(({ name, notnull, dflt_value, pk }) => ({
      name: String(name).toLowerCase(),
      mustBeGiven: notnull === 1 && dflt_value === null && pk === 0,
      keyPosition: Number(pk),
    }));
}

/**
 * SQLite's own check of everything but the given tables. Without them there is nothing left that needs the collation;
 * dropping them costs next to nothing and counts their pages as free, so that a page used twice is still noticed.
 */
function checkIntegrity(
  db: DatabaseSync,
  statements: Statements,
  unicaseTables: readonly string[],
  shared: SharedIndexCheck | undefined,
): void {
  db.exec('SAVEPOINT all_tables');
  for (const name of unicaseTables) db.exec(`DROP TABLE ${quoteName(name)}`);
  expectOk(statements, 'PRAGMA quick_check(1)');
  const elsewhere: string[] = [];
  for (const name of statements.all(OTHER_TABLES).map(([table]) => String(table))) {
    if (shared?.take(name) === false) elsewhere.push(name);
    else checkIndexes(statements, name);
  }
  for (const name of elsewhere) if (shared?.isSound(name) !== true) checkIndexes(statements, name);
  db.exec('ROLLBACK TO all_tables; RELEASE all_tables');
}

function checkIndexes(statements: Statements, table: string): void {
  const problem = indexProblem(statements, table);
  if (problem !== undefined) throw new Refusal(`integrity check: ${problem}`);
}

/** Every small object must be one that Anki can read: a conversion for old clients, as it would be made one day. */
function checkObjects(db: DatabaseSync, statements: Statements): void {
  const bytes = Number(statements.get(SMALL_OBJECT_BYTES)?.[0]);
  if (bytes > jsonBytesMax) throw new Refusal(`${Math.round(bytes / MiB)} MiB of notetypes, decks and options`);
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  for (const [name] of statements.all(NAMES)) {
    if (!(name instanceof Uint8Array) || !isUtf8(utf8, name)) throw new Refusal('a name is not UTF-8');
  }
  db.exec('SAVEPOINT all_objects');
  downgradeToSchema11(db);
  db.exec('ROLLBACK TO all_objects; RELEASE all_objects');
}

function expectOk(statements: Statements, check: string): void {
  const found = findingOf(statements.get(check)?.[0]);
  if (found !== undefined) throw new Refusal(`integrity check: ${found}`);
}

function isUtf8(decoder: TextDecoder, bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function isPlainInteger(value: SqlValue | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function countOf(statements: Statements, table: string): number {
  return statements.number(`SELECT count(*) FROM ${table}`);
}

function hasPending(statements: Statements, table: string): boolean {
  return statements.number(`SELECT EXISTS (SELECT 1 FROM ${table} WHERE usn = -1)`) === 1;
}
