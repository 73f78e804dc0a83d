import { statSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { messageOf, SyncError } from '../errors.ts';
import { MiB } from '../limits.ts';
import type { Log } from '../log.ts';
import { Statements } from '../storage/exact-rows.ts';
import { DamagedFileError } from '../storage/sqlite-damage.ts';
import {
  afterRollback,
  formOf,
  overlookCollation,
  quoteName,
  takeOutCollation,
  toWorkingForm,
} from './canonical-form.ts';

/**
 * What has to be done to a collection's file before it can be used: in the thread for heavy work, but for `rescue`, which
 * the thread does that has open what another program took away.
 */
export type Preparation = 'create' | 'upgrade' | 'check in' | 'rescue';

/** Newest schema, and the only one that is worked on. */
export const schemaVersion = 18;

/** Page cache of one open collection, KiB. */
const cacheKiB = 8 * 1024;

/**
 * A log of this length is moved into the file before the next sync, bytes. Closing does the same, but who syncs without a
 * pause of some seconds is never closed.
 */
const logBytesMax = 16 * MiB;

interface FileIdentity {
  readonly ino: bigint;
  readonly dev: bigint;
}

const CODE_OBJECTS = `SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view')`;

/**
 * The one connection to a user's collection: exclusive, in WAL mode without a `-shm` file, as Anki leaves the file. What
 * a commit reports is on the disk. The main file changes only in `checkpoint`, `checkpointLongLog` and `close`.
 */
export class CollectionFile implements Disposable {
  readonly sql: Statements;
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #identity: FileIdentity;
  #working = false;
  /** This connection reads the declarations without the collation, whatever the file says. */
  #overlooks = false;
  #inWork = false;
  #namesChanged = false;

  private constructor(db: DatabaseSync, path: string, identity: FileIdentity) {
    this.#db = db;
    this.#path = path;
    this.#identity = identity;
    this.sql = new Statements(db);
  }

  /**
   * Opens the file at `path`, or says what must be done first. Throws `serverFault` when it is no usable collection, or
   * when another program holds it.
   */
  static open(path: string, log: Log): CollectionFile | Preparation {
    const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
    if (stats === undefined) return 'create';
    let db: DatabaseSync | undefined;
    try {
      // SQLite would take it for a new database, and throw away the log beside it.
      if (stats.size === 0n) throw new DamagedFileError('it is an empty file');
      db = openExclusive(path);
      const preparation = neededFirst(db);
      if (preparation !== undefined) {
        db.close();
        return preparation;
      }
      dropCode(db, path, log);
      return new CollectionFile(db, path, stats);
    } catch (error) {
      db?.close();
      throw new SyncError('serverFault', `Cannot open the collection ${path}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Is the file, as committed, in working form? It must be checked in before an Anki client may get it. */
  get isWorkingForm(): boolean {
    return this.#working;
  }

  /** Has another program removed the file that is open, or put another in its place? */
  get isStray(): boolean {
    const now = statSync(this.#path, { throwIfNoEntry: false, bigint: true });
    return now === undefined || now.ino !== this.#identity.ino || now.dev !== this.#identity.dev;
  }

  /** Bytes of the main file. */
  get byteLength(): number {
    return statSync(this.#path).size;
  }

  /** Begins the transaction of a sync. */
  beginWork(): void {
    this.#db.exec('BEGIN IMMEDIATE');
    this.#inWork = true;
    this.#namesChanged = false;
  }

  /**
   * From here on the tables that bear names can be read, by full scans; once for each connection. Not done before it is
   * needed: SQLite then reads all declarations again, and prepares all statements again.
   */
  readNames(): void {
    if (!this.#inWork || this.#working || this.#namesChanged || this.#overlooks) return;
    overlookCollation(this.#db);
    this.#overlooks = true;
  }

  /** From here on names can be written; the commit leaves the file in working form. */
  changeNames(): void {
    if (!this.#inWork || this.#working || this.#namesChanged) return;
    takeOutCollation(this.#db);
    toWorkingForm(this.#db);
    this.#namesChanged = true;
  }

  /** Commits all that was done since `beginWork`, durably. */
  commitWork(): void {
    this.#db.exec('COMMIT');
    this.#working ||= this.#namesChanged;
    this.#inWork = false;
  }

  /** Undoes all that was done since `beginWork`. */
  rollbackWork(): void {
    if (!this.#inWork) return;
    this.#inWork = false;
    this.#overlooks = false;
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    afterRollback(this.#db);
  }

  /** Runs a short change of tables that bear no names, as one durable transaction. */
  inTransaction(body: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      body();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Moves all commits into the main file. */
  checkpoint(): void {
    const [busy] = this.sql.get('PRAGMA wal_checkpoint(TRUNCATE)') ?? [];
    if (busy !== 0) throw new Error(`Cannot move all commits into ${this.#path}`);
  }

  /** The same when the log has become long. Outside of a transaction, and not while the main file must stand still. */
  checkpointLongLog(): void {
    const log = statSync(`${this.#path}-wal`, { throwIfNoEntry: false });
    if (log !== undefined && log.size >= logBytesMax) this.checkpoint();
  }

  /** Copies the committed state into a new file, page by page, while other users of this thread go on. */
  async copyTo(target: string): Promise<void> {
    await backup(this.#db, target, { rate: 1000 });
  }

  /** Rolls back what is open, moves all commits into the main file and leaves it alone in its folder. */
  close(): void {
    this.rollbackWork();
    if (this.#db.isOpen) this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openExclusive(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false, allowExtension: false });
  try {
    // Before anything is read: an exclusive connection keeps the WAL index in its own memory, without a -shm file.
    db.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA trusted_schema = OFF;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA cache_size = -${cacheKiB};
    `);
    return db;
  } catch (error) {
    db.close(); // It holds the lock already, against the next attempt too.
    throw error;
  }
}

function neededFirst(db: DatabaseSync): Preparation | undefined {
  const version = db.prepare('SELECT ver FROM col').get()?.['ver'];
  if (typeof version !== 'number') throw new Error('it has no row in its table col');
  if (version !== schemaVersion) return 'upgrade';
  return formOf(db) === 'working' ? 'check in' : undefined;
}

/** Triggers and views would run inside our own statements; Anki makes none. */
function dropCode(db: DatabaseSync, path: string, log: Log): void {
  for (const { type, name } of db.prepare(CODE_OBJECTS).all()) {
    db.exec(`DROP ${type === 'view' ? 'VIEW' : 'TRIGGER'} ${quoteName(String(name))}`);
    log.warn({ path, name }, `Dropped a ${type} from a collection: Anki has none, and it would run with every sync`);
  }
}
