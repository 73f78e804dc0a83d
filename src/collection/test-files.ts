import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { zstdDecompressSync } from 'node:zlib';
import { withUnicaseDatabase } from './wasm/unicase-database.ts';

/** For tests: real collections, kept read-only. */
export const COLLECTIONS = path.join(import.meta.dirname, '../../test/fixtures/collections');

/** Fixtures in schema 18, of several releases of Anki. */
export const SCHEMA_18_FIXTURES = [
  'fresh-server.anki2',
  'rich.anki2',
  'non-ascii-names.anki2',
  'other-releases/2.1.54-schema18.anki2',
  'other-releases/2.1.40-then-current.anki2',
  'schema11-upgraded/anki-2.1.15.anki2',
] as const;

/** For tests: a folder of its own, gone afterwards. */
export class TestFolder implements Disposable {
  readonly path = mkdtempSync(path.join(tmpdir(), 'collection-'));

  /** Path of a file in it. */
  file(name: string): string {
    return path.join(this.path, name);
  }

  /** A writable copy of a fixture, `.zst` unpacked. */
  copyOf(fixture: string, name = 'collection.anki2'): string {
    const target = this.file(name);
    const source = path.join(COLLECTIONS, fixture);
    if (fixture.endsWith('.zst')) writeFileSync(target, zstdDecompressSync(readFileSync(source)));
    else copyFileSync(source, target);
    chmodSync(target, 0o600);
    return target;
  }

  /** Names of all files in it. */
  names(): string[] {
    return readdirSync(this.path).sort();
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** For tests: a connection as the server holds it. */
export function openExclusive(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA wal_autocheckpoint=0');
  return db;
}

/** For tests: SQLite's whole integrity check with Anki's collation in force; `ok` or what is wrong. */
export function integrityOf(file: string): Promise<string> {
  return withUnicaseDatabase(file, (db) => db.selectValues('PRAGMA integrity_check').map(String).join('\n'));
}

/** For tests: all rows of all tables, by table, each sorted; blobs as hex. */
export function contentOf(file: string): Promise<Record<string, string[]>> {
  return withUnicaseDatabase(file, (db) => {
    const tables = db.selectValues(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%'",
    );
    const content: Record<string, string[]> = {};
    for (const table of tables.map(String)) {
      const columns = db.selectValues('SELECT name FROM pragma_table_info(?)', [table]);
      const list = columns.map((column) => `quote("${column}")`).join(', ');
      content[table] = db
        .selectArrays(`SELECT ${list} FROM "${table}"`)
        .map((row) => row.join(' '))
        .sort();
    }
    return content;
  });
}

/** For tests: the declarations of a file, without statistics. */
export function declarationsOf(file: string): string[] {
  const db = new DatabaseSync(file);
  try {
    const rows = db.prepare("SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name").all();
    return rows.map((row) => String(row.sql));
  } finally {
    db.close();
  }
}
