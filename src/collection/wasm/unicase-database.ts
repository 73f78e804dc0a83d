import { pathToFileURL } from 'node:url';
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { compareUnicaseBytes } from './byte-collation.ts';
import { installNodeVfs, NODE_VFS } from './node-vfs.ts';

let loading: Promise<Sqlite3Static> | undefined;
let lastDiskError: unknown;

/**
 * Runs `body` on a file that nobody else has open, with Anki's collation in force and every statement of SQLite at
 * hand. A hot journal or WAL of a process that died, native or not, is recovered first, and none is left behind.
 *
 * The WebAssembly build of SQLite (25 ms, 20 MB) is loaded at the first call and kept: only for threads that do heavy
 * work. Errors of SQLite carry what the disk said as their cause.
 */
export function withUnicaseDatabase<Result>(file: string, body: (db: Database) => Result): Promise<Result> {
  return withDatabase(file, 'alone', body);
}

/** The same, to read a file that others may have open, but that nobody changes meanwhile and beside which nothing lies. */
export function withUnicaseReader<Result>(file: string, body: (db: Database) => Result): Promise<Result> {
  return withDatabase(file, 'reading', body);
}

type Access = 'alone' | 'reading';

async function withDatabase<Result>(file: string, access: Access, body: (db: Database) => Result): Promise<Result> {
  loading ??= load();
  const sqlite3 = await loading;
  lastDiskError = undefined;
  let db: Database | undefined;
  try {
    db = openDatabase(sqlite3, file, access);
    return body(db);
  } catch (error) {
    if (lastDiskError === undefined || !(error instanceof Error)) throw error;
    throw new Error(error.message, { cause: lastDiskError });
  } finally {
    db?.close();
  }
}

async function load(): Promise<Sqlite3Static> {
  const { default: init } = await import('@sqlite.org/sqlite-wasm');
  const sqlite3 = await init();
  sqlite3.config.warn = () => {}; // It prints what is thrown anyway.
  installNodeVfs(sqlite3, (error) => {
    lastDiskError = error;
  });
  return sqlite3;
}

function openDatabase(sqlite3: Sqlite3Static, file: string, access: Access): Database {
  const { capi, oo1, wasm } = sqlite3;
  const db =
    access === 'alone'
      ? new oo1.DB({ filename: file, flags: 'w', vfs: NODE_VFS })
      : // Immutable: nothing is made, read or removed beside the file.
        new oo1.DB({ filename: `${pathToFileURL(file).href}?immutable=1`, flags: 'r', vfs: NODE_VFS });
  try {
    // Exclusive first: the VFS has no shared memory, and this is how SQLite learns to do without.
    db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-8192');
    const compare = (_context: number, lengthA: number, a: number, lengthB: number, b: number): number => {
      const memory = wasm.heap8u();
      return compareUnicaseBytes(memory.subarray(a, a + lengthA), memory.subarray(b, b + lengthB));
    };
    const code = capi.sqlite3_create_collation_v2(db, 'unicase', capi.SQLITE_UTF8, 0, compare, 0);
    if (code !== capi.SQLITE_OK) throw new Error(`SQLite refused the collation: ${code}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
