import { DatabaseSync } from 'node:sqlite';
import { SyncError } from '../errors.ts';
import { Statements } from '../storage/exact-rows.ts';
import { findingOf } from '../storage/sqlite-damage.ts';
import { migrateMediaDb } from './media-schema.ts';

/** SHA-1 in lower-case hex. */
export type Sha1Hex = string & { readonly __brand: 'Sha1Hex' };

/** What the index knows about a name. */
export interface MediaEntry {
  /** Of the content; kept when the file is deleted. */
  readonly sha1: Sha1Hex;
  /** Bytes; 0 means deleted. */
  readonly size: number;
  /** Value of the counter at the last change. */
  readonly usn: number;
  /** Time of the last change on the server, epoch seconds. */
  readonly mtimeSecs: number;
}

/** One record of `mediaChanges`; without `sha1` the file is deleted. */
export interface MediaChange {
  readonly name: string;
  readonly usn: number;
  readonly sha1: Sha1Hex | undefined;
}

/** New entries by name (undefined: the name is forgotten) and the counter after them. */
export interface IndexUpdate {
  readonly usnBefore: number;
  readonly usnAfter: number;
  readonly entries: ReadonlyMap<string, MediaEntry | undefined>;
}

const LAST_USN = 'SELECT last_usn FROM meta';
const FILE_COUNT = 'SELECT total_nonempty_files FROM meta';
const TOTAL_BYTES = 'SELECT total_bytes FROM meta';
const ENTRY = 'SELECT lower(hex(csum)), size, usn, mtime FROM media WHERE fname = ?';
// ORDER BY is part of the contract: clients go on from the usn of the last record.
const CHANGES_AFTER = `
  SELECT fname, usn, CASE WHEN size > 0 THEN lower(hex(csum)) END FROM media
  WHERE usn > ? ORDER BY usn, fname LIMIT ?`;
const SAVE_ENTRY = `
  INSERT INTO media (fname, csum, size, usn, mtime) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (fname) DO UPDATE SET csum = excluded.csum, size = excluded.size, usn = excluded.usn, mtime = excluded.mtime`;
const FORGET_ENTRY = 'DELETE FROM media WHERE fname = ?';
const SAVE_META = `
  UPDATE meta SET last_usn = ?, total_bytes = total_bytes + ?, total_nonempty_files = total_nonempty_files + ?`;
const RECOUNT = `
  UPDATE meta SET total_bytes = files.bytes, total_nonempty_files = files.amount
  FROM (SELECT coalesce(sum(size), 0) AS bytes, count(*) AS amount FROM media WHERE size > 0) AS files
  WHERE total_bytes <> files.bytes OR total_nonempty_files <> files.amount`;

/**
 * The media index of one user, `media.db`, in the official server's own form. Opened, it belongs to this process alone:
 * WAL with an exclusive lock, so that there is no `-shm`; closed, the file is alone. Every method is one short step.
 */
export class MediaDb implements Disposable {
  readonly #db: DatabaseSync;
  readonly #sql: Statements;
  /** The counters had to be corrected on opening. */
  readonly recounted: boolean;

  /** Opens or creates the index, and brings a version 3 to version 4. Fails with `serverFault` when another process holds it. */
  constructor(file: string) {
    this.#db = openExclusively(file);
    this.#sql = new Statements(this.#db);
    try {
      migrateMediaDb(this.#db);
      // Clients whose count differs from this one start over, at every sync: a wrong one never heals by itself.
      this.recounted = this.#sql.run(RECOUNT) > 0;
    } catch (error) {
      this.#db.close();
      throw cannotOpen(file, error);
    }
  }

  /** Counter of changes: the usn of the latest one. */
  get lastUsn(): number {
    return this.#sql.number(LAST_USN);
  }

  /** Files that are not deleted. */
  get fileCount(): number {
    return this.#sql.number(FILE_COUNT);
  }

  /** Of the files that are not deleted. */
  get totalBytes(): number {
    return this.#sql.number(TOTAL_BYTES);
  }

  /** What is known about a name, also when it is deleted. */
  entry(name: string): MediaEntry | undefined {
    const row = this.#sql.get(ENTRY, name) as unknown as readonly [Sha1Hex, number, number, number] | undefined;
    if (row === undefined) return undefined;
    const [sha1, size, usn, mtimeSecs] = row;
    return { sha1, size, usn, mtimeSecs };
  }

  /** What a close look finds wrong with the file; undefined when all is well. */
  damage(): string | undefined {
    return findingOf(this.#sql.get('PRAGMA integrity_check(1)')?.[0]);
  }

  /** Changes after a usn, in the order of their usn. */
  changesAfter(afterUsn: number, rowsMax: number): MediaChange[] {
    const rows = this.#sql.all(CHANGES_AFTER, afterUsn, rowsMax);
    return (rows as unknown as readonly (readonly [string, number, Sha1Hex | null])[]).map(([name, usn, sha1]) => ({
      name,
      usn,
      sha1: sha1 ?? undefined,
    }));
  }

  /** All of the update or nothing; on return it is on the disk. */
  save(update: IndexUpdate): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      if (this.lastUsn !== update.usnBefore) {
        throw new Error(`Cannot save media changes: the index is at ${this.lastUsn}, not at ${update.usnBefore}`);
      }
      let bytes = 0;
      let files = 0;
      for (const [name, entry] of update.entries) {
        const before = this.entry(name);
        bytes += (entry?.size ?? 0) - (before?.size ?? 0);
        files += Number((entry?.size ?? 0) > 0) - Number((before?.size ?? 0) > 0);
        if (entry === undefined) this.#sql.run(FORGET_ENTRY, name);
        else this.#sql.run(SAVE_ENTRY, name, Buffer.from(entry.sha1, 'hex'), entry.size, entry.usn, entry.mtimeSecs);
      }
      this.#sql.run(SAVE_META, update.usnAfter, bytes, files);
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

function openExclusively(file: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    // A second process may just be closing: wait a moment for it, not for ever, because the thread waits too.
    db = new DatabaseSync(file, { timeout: 500 });
    // The lock mode comes first: an exclusive owner keeps the index of the WAL in memory, not in a -shm file.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    db.exec('BEGIN IMMEDIATE; COMMIT;'); // The lock is only taken when it is needed: need it now.
    return db;
  } catch (error) {
    db?.close();
    throw cannotOpen(file, error);
  }
}

function cannotOpen(file: string, cause: unknown): SyncError {
  const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) & 0xff : 0;
  const busy = code === 5 || code === 6; // SQLITE_BUSY, SQLITE_LOCKED
  const reason = busy ? 'another program uses it; is a second server running on this folder?' : String(cause);
  return new SyncError('serverFault', `Cannot open the media index ${file}: ${reason}`, { cause });
}
