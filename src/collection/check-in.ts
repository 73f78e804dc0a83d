import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Database } from '@sqlite.org/sqlite-wasm';
import { formOf, quoteName, restoredDeclaration, UNICASE_TABLE_LIST } from './canonical-form.ts';

const TABLE_DECLARATIONS = `
  SELECT name, sql FROM sqlite_schema
  WHERE type = 'table' AND lower(name) IN (${UNICASE_TABLE_LIST})
`;

/**
 * Makes a schema 18 file canonical that a sync or an upgrade left in working form: the declarations get their
 * collation back, the b-trees over names their order. Only the schema and those small tables are read and written,
 * whatever the size of the file. A file that is canonical already is left alone.
 *
 * Nobody else may have the file open. It is one transaction of SQLite, made durable before this returns: cut off at any
 * instant, the next open of the file finds the working form or the canonical one. Ends with a single file in WAL mode,
 * as Anki leaves it. Throws if two names are the same to the collation, and on any error of the disk; the file is then
 * still in working form. For the heavy-work thread: it blocks, and loads SQLite as WebAssembly.
 */
export async function checkIn(collectionPath: string): Promise<void> {
  if (!needsCheckIn(collectionPath)) return;
  const { withUnicaseDatabase } = await import('./wasm/unicase-database.ts');
  await withUnicaseDatabase(collectionPath, (db) => {
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
    // Closing rolls back. A ROLLBACK here would fail after a full disk, and hide it: SQLite has rolled back by itself then.
    db.exec('BEGIN IMMEDIATE');
    const tables = readDeclarations(db);
    writeDeclarations(db, tables);
    for (const { name } of tables) db.exec(`REINDEX ${quoteName(name)}`);
    db.exec('COMMIT');
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)'); // Closing does it too, but does not say when the disk is full.
  });
}

interface Declaration {
  readonly name: string;
  readonly sql: string;
}

/** Natively, because that is fast, respects the locks of other processes, and recovers what a crash left behind. */
function needsCheckIn(collectionPath: string): boolean {
  // Of a file that was taken away SQLite would make a new one; whoever opens it next notices.
  if ((statSync(collectionPath, { throwIfNoEntry: false })?.size ?? 0) === 0) return false;
  const db = new DatabaseSync(collectionPath);
  try {
    db.exec('PRAGMA locking_mode=EXCLUSIVE');
    return formOf(db) === 'working';
  } finally {
    db.close();
  }
}

/** The six tables with their declarations in canonical form. */
function readDeclarations(db: Database): Declaration[] {
  return db.selectObjects(TABLE_DECLARATIONS).map((row) => {
    const name = String(row.name);
    return { name, sql: restoredDeclaration(name, String(row.sql)) };
  });
}

function writeDeclarations(db: Database, tables: readonly Declaration[]): void {
  db.exec('PRAGMA writable_schema=ON');
  for (const { name, sql } of tables) {
    db.exec("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", { bind: [sql, name] });
  }
  db.exec('PRAGMA writable_schema=RESET');
}
