import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** `SQLITE_BUSY`; extended codes carry it in their low byte. */
const busyCode = 5;

/**
 * Keeps other processes out of a folder for as long as this one lives. Node has no file locks of its own, SQLite has:
 * an exclusive lock of an empty database. The operating system drops it with the process, also after `kill -9`, so
 * a stale file holds nobody up. The file stays: removing it would let two processes lock two files of one name.
 */
export class FolderLock implements Disposable {
  readonly #db: DatabaseSync;

  /** Undefined when somebody else holds the lock. The folder of `file` exists; throws when it cannot be written. */
  static acquire(file: string): FolderLock | undefined {
    const db = new DatabaseSync(file, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
      return new FolderLock(db);
    } catch (error) {
      db.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  release(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * Does another process hold an exclusive lock on this database? Only a database with a write-ahead log beside it is
 * asked, because the programs in question keep theirs open in that mode; others are left untouched.
 */
export function isHeldElsewhere(databaseFile: string): boolean {
  if (!existsSync(databaseFile) || !existsSync(`${databaseFile}-wal`)) return false;
  try {
    using db = new DatabaseSync(databaseFile, { readOnly: true, timeout: 0 });
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return false;
  } catch (error) {
    return isBusy(error); // A damaged file is not in use, and not for a lock to judge.
  }
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return false;
  return (error.errcode & 0xff) === busyCode;
}
