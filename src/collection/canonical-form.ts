import type { DatabaseSync } from 'node:sqlite';

/**
 * The two forms of a schema 18 file.
 *
 * *Canonical* is what Anki writes: the name columns of six small tables are declared `COLLATE unicase`, and the b-trees
 * over them are sorted by that collation. SQLite in Node has no such collation, so most statements on these tables fail.
 *
 * *Working* is the same file without the clause in the declarations and with those b-trees sorted by bytes (BINARY):
 * ordinary SQL works on every table, but an Anki client must not get the file before it was checked in.
 *
 * In a third state, which no file is left in, the clause is out and the b-trees are still in `unicase` order: inside a
 * transaction (`takeOutCollation`), or in the eyes of one connection while the file stays canonical (`overlookCollation`).
 * There
 * - full scans are right and give the rows of `tags` in `unicase` order;
 * - look-ups and `ORDER BY` on a name column lie: write `+name = ?`, or read everything and compare in TypeScript;
 * - rows may be updated and deleted as long as no name column changes. Decks and notetypes are found by `id`, fields and
 *   templates by (`ntid`, `ord`), tags by scanning (`WHERE +tag = ?`);
 * - a row must not be inserted and a name not changed before `toWorkingForm`: it would land in the wrong place.
 */
export type CollectionForm = 'canonical' | 'working';

/** A declaration as it stands in `sqlite_schema`. Names are unique over tables and indexes. */
export interface SchemaText {
  readonly name: string;
  readonly sql: string;
}

/** A table is declared in a way that this module cannot rewrite; no release of Anki does so. */
export class DeclarationError extends Error {
  constructor(table: string, sql: string) {
    super(`Cannot rewrite the declaration of ${table}: ${sql}`);
    this.name = 'DeclarationError';
  }
}

/** The tables with a `unicase` column. Source: collection-format, schema 18; the column is `name`, in `tags` it is `tag`. */
export const UNICASE_TABLES = ['deck_config', 'decks', 'fields', 'notetypes', 'tags', 'templates'] as const;
export type UnicaseTable = (typeof UNICASE_TABLES)[number];

/** The same for SQL. */
export const UNICASE_TABLE_LIST = UNICASE_TABLES.map((name) => `'${name}'`).join(', ');

/** Is it one of them? SQLite takes names in any letter case. */
export function isUnicaseTable(name: string): boolean {
  return UNICASE_TABLES.some((table) => table === name.toLowerCase());
}

const DECLARATIONS = `
  SELECT name, sql FROM sqlite_schema
  WHERE lower(tbl_name) IN (${UNICASE_TABLE_LIST}) AND sql LIKE '%unicase%'
`;

// Anki's own indexes on the six tables. Entries of any other one would go to the wrong place while the collation is out.
const ANKI_INDEXES = [
  'idx_decks_name',
  'idx_fields_name_ntid',
  'idx_notetypes_name',
  'idx_notetypes_usn',
  'idx_templates_name_ntid',
  'idx_templates_usn',
];

// A big table with an index by the collation could not be written at all. An expression is code that would run with every
// check and every change, and it can be made to run for hours.
const UNUSABLE_INDEXES = `
  SELECT name, sql FROM sqlite_schema
  WHERE type = 'index' AND sql IS NOT NULL AND (
    (lower(tbl_name) IN (${UNICASE_TABLE_LIST}) AND lower(name) NOT IN (${ANKI_INDEXES.map((name) => `'${name}'`).join(', ')}))
    OR (lower(tbl_name) IN ('cards', 'col', 'config', 'graves', 'notes', 'revlog') AND sql LIKE '%unicase%')
    OR EXISTS (SELECT 1 FROM pragma_index_xinfo(sqlite_schema.name) AS part WHERE part.cid = -2)
  )
`;

const TABLE_DECLARATIONS = `
  SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND lower(name) IN (${UNICASE_TABLE_LIST})
`;

const UPDATE_DECLARATION = 'UPDATE sqlite_schema SET sql = :sql WHERE name = :name';

/** The clause in every spelling that SQLite reads, except with a comment between its words. */
const CLAUSE = /\s*\bcollate(?:\s+unicase\b|\s*(?:"unicase"|'unicase'|`unicase`|\[unicase\]))/gi;

/** The name column up to the end of its constraints: the clause goes behind them, as in Anki's own declarations. */
const NAME_COLUMN = /([(,]\s*)(["'`[]?)(name|tag)["'`\]]?\s+text\b(?:\s+not\s+null\b|\s+primary\s+key\b)*/i;

/**
 * Takes `COLLATE unicase` out of the declarations, in memory and in the file: needs an open write transaction and a
 * connection without others beside it. Statements prepared earlier are prepared again by SQLite when they next run.
 *
 * Returns the texts for `putBackCollation`. Throws `DeclarationError` if one still speaks of `unicase`
 * afterwards; the caller rolls back. The `unusableIndexes` are dropped. Measured: 0.1 to 0.25 ms.
 */
export function takeOutCollation(db: DatabaseSync): SchemaText[] {
  for (const name of unusableIndexes(db)) db.exec(`DROP INDEX ${quoteName(name)}`);
  const originals = readTexts(db, DECLARATIONS);
  const stripped = originals.map(({ name, sql }) => ({ name, sql: withoutCollation(sql) }));
  const leftOver = stripped.find(({ sql }) => /unicase/i.test(sql));
  if (leftOver !== undefined) throw new DeclarationError(leftOver.name, leftOver.sql);
  writeDeclarations(db, stripped);
  return originals;
}

/**
 * Indexes of add-ons that SQLite without the collation cannot keep in order, or that run code. They speed up queries that
 * we do not have.
 */
export function unusableIndexes(db: DatabaseSync): string[] {
  return readTexts(db, UNUSABLE_INDEXES).map(({ name }) => name);
}

/**
 * The same for this connection alone, as long as it lives and until `afterRollback`: the file keeps its declarations, so a
 * commit leaves it canonical. SQLite reads the declarations again only when the schema cookie changes, which nothing but
 * an index or table made or dropped does. Needs the transaction that the names are first read in.
 */
export function overlookCollation(db: DatabaseSync): void {
  const originals = takeOutCollation(db);
  writeDeclarations(db, originals, 'OFF');
}

/** Puts the declarations back as they were, before COMMIT. Rows must have been treated as `CollectionForm` says. */
export function putBackCollation(db: DatabaseSync, originals: readonly SchemaText[]): void {
  writeDeclarations(db, originals);
}

/**
 * After `takeOutCollation` and instead of `putBackCollation`: sorts the b-trees by bytes, so that every statement works
 * and names can be written. What is committed then is a file in working form, for `checkIn`.
 */
export function toWorkingForm(db: DatabaseSync): void {
  assertRestorable(db);
  for (const { name } of readTexts(db, TABLE_DECLARATIONS)) db.exec(`REINDEX ${quoteName(name)}`);
}

/** Throws `DeclarationError` if the six tables could not get their collation back from working form. */
export function assertRestorable(db: DatabaseSync): void {
  for (const { name, sql } of readTexts(db, TABLE_DECLARATIONS)) restoredDeclaration(name, sql);
}

/** The declaration of one of the six tables in canonical form. Throws `DeclarationError`. */
export function restoredDeclaration(table: string, sql: string): string {
  const restored = withCollation(sql);
  if (!/unicase/i.test(restored)) throw new DeclarationError(table, sql);
  return restored;
}

/**
 * After ROLLBACK of a transaction that took the collation out: the connection still believes the changed declarations.
 * This makes it read those of the file again. Safe with statements alive, even half-way through their rows.
 */
export function afterRollback(db: DatabaseSync): void {
  db.exec('PRAGMA writable_schema=RESET');
}

/** Tells the form of a schema 18 file from its declarations alone, outside of `takeOutCollation`. About 0.05 ms. */
export function formOf(db: DatabaseSync): CollectionForm {
  return readTexts(db, TABLE_DECLARATIONS).every(({ sql }) => /unicase/i.test(sql)) ? 'canonical' : 'working';
}

/** The declaration without the clause; every other character stays, so that layout and letter case survive. */
export function withoutCollation(sql: string): string {
  return sql.replace(CLAUSE, (clause: string, at: number) => {
    const next = sql.charAt(at + clause.length);
    return /^[\s,)]?$/.test(next) ? '' : ' '; // `COLLATE"unicase"NOT NULL` is legal and must not become one word.
  });
}

/**
 * The declaration of one of the six tables with the clause behind the constraints of its name column, in the letter case
 * of the words before it: releases before 2.1.49 wrote lower case. Undoes `withoutCollation` for all that Anki writes.
 * Returned unchanged if it has the clause already, or no such column.
 */
export function withCollation(sql: string): string {
  if (/unicase/i.test(sql)) return sql;
  return sql.replace(NAME_COLUMN, (column: string) => {
    const constraints = /\s(not\s+null|primary\s+key)\b/i.exec(column)?.[1] ?? 'NOT NULL';
    return `${column} ${constraints === constraints.toLowerCase() ? 'collate' : 'COLLATE'} unicase`;
  });
}

/** SQL identifier from any text. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `RESET` makes this connection read the declarations again, `OFF` does not. The schema cookie stays as it was. */
function writeDeclarations(
  db: DatabaseSync,
  texts: readonly SchemaText[],
  afterwards: 'RESET' | 'OFF' = 'RESET',
): void {
  db.enableDefensive(false); // Node's default forbids this; nothing else gets the freedom.
  try {
    db.exec('PRAGMA writable_schema=ON');
    const update = db.prepare(UPDATE_DECLARATION);
    update.setReadBigInts(true); // Its result repeats the last row id of the connection, which may be beyond 2^53.
    for (const { name, sql } of texts) update.run({ name, sql });
  } finally {
    db.exec(`PRAGMA writable_schema=${afterwards}`); // Either ends the permission.
    db.enableDefensive(true);
  }
}

function readTexts(db: DatabaseSync, query: string): SchemaText[] {
  return db
    .prepare(query)
    .all()
    .map((row) => ({ name: String(row.name), sql: String(row.sql) }));
}
