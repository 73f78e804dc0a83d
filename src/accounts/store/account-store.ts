import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { accountsFileName, openDatabase } from './accounts-file.ts';

/** A user who was made by command. */
export interface StoredUser {
  /** A checked name. */
  readonly name: string;
  /** PHC text. */
  readonly passwordHash: string;
  readonly isEnabled: boolean;
  /** Epoch milliseconds. */
  readonly createdMs: number;
}

/** A random host key that was given to a device. The key itself is nowhere. */
export interface StoredDevice {
  /** Never used again for another device. */
  readonly id: number;
  readonly user: string;
  /** SHA-256 of the host key, base64. */
  readonly keyDigest: string;
  /** Ties the key of an environment user to the variable, see `settingProof`; null for stored users. */
  readonly settingProof: string | null;
  /** What the client calls itself; empty when it has not said so. */
  readonly client: string;
  /** Network address of the last use; empty when unknown. */
  readonly address: string;
  /** Epoch milliseconds. */
  readonly firstUsedMs: number;
  readonly lastUsedMs: number;
}

/** What may change of a device when it is seen. */
export type DeviceSighting = Pick<StoredDevice, 'id' | 'client' | 'address' | 'lastUsedMs'>;

/** A user's folder is about to get another name, or, with `target` null, to be deleted. */
export interface FolderMove {
  readonly user: string;
  readonly target: string | null;
}

const SELECT_USERS = `
  SELECT name, password_hash AS passwordHash, is_enabled AS isEnabled, created_ms AS createdMs FROM users ORDER BY name
`;
const SELECT_DEVICES = `
  SELECT id, user, key_digest AS keyDigest, setting_proof AS settingProof, client, address,
    first_used_ms AS firstUsedMs, last_used_ms AS lastUsedMs
  FROM devices ORDER BY id
`;
const SELECT_MOVES = 'SELECT user, target FROM folder_moves ORDER BY user';
const INSERT_USER = 'INSERT INTO users (name, password_hash, is_enabled, created_ms) VALUES (?, ?, ?, ?)';
const INSERT_DEVICE = `
  INSERT INTO devices (user, key_digest, setting_proof, client, address, first_used_ms, last_used_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?)
`;
const UPDATE_SEEN = 'UPDATE devices SET client = ?, address = ?, last_used_ms = ? WHERE id = ?';

/**
 * Users, the digests of their host keys, and what is being done to their folders, in one SQLite file. What a method has
 * done is on the disk when it returns. Only the process that holds the data folder's lock opens it. The file is made by
 * the first change, so a server whose users all come from the environment has none.
 */
export class AccountStore implements Disposable {
  readonly file: string;
  #db: DatabaseSync | undefined;
  #isClosed = false;

  /** Throws `AccountStoreProblem` for a file that is damaged, or from a later version of this program. */
  static open(base: string): AccountStore {
    const store = new AccountStore(path.join(base, accountsFileName));
    if (existsSync(store.file)) store.#opened();
    return store;
  }

  private constructor(file: string) {
    this.file = file;
  }

  users(): StoredUser[] {
    return this.#rows(SELECT_USERS).map((row) => ({ ...row, isEnabled: row['isEnabled'] === 1 }) as StoredUser);
  }

  devices(): StoredDevice[] {
    return this.#rows(SELECT_DEVICES) as unknown as StoredDevice[];
  }

  moves(): FolderMove[] {
    return this.#rows(SELECT_MOVES) as unknown as FolderMove[];
  }

  /** A new user, without devices. */
  addUser({ name, passwordHash, isEnabled, createdMs }: StoredUser): void {
    this.#change(() => {
      // Of an environment user who had the name before.
      this.#run('DELETE FROM devices WHERE user = ?', name);
      this.#run(INSERT_USER, name, passwordHash, Number(isEnabled), createdMs);
    });
  }

  /** Another password ends the access of all devices. */
  changePassword(name: string, passwordHash: string): void {
    this.#change(() => {
      this.#run('UPDATE users SET password_hash = ? WHERE name = ?', passwordHash, name);
      this.#run('DELETE FROM devices WHERE user = ?', name);
    });
  }

  /** The same password under a better hash: devices stay. */
  improveHash(name: string, passwordHash: string): void {
    this.#change(() => this.#run('UPDATE users SET password_hash = ? WHERE name = ?', passwordHash, name));
  }

  setEnabled(name: string, isEnabled: boolean): void {
    this.#change(() => this.#run('UPDATE users SET is_enabled = ? WHERE name = ?', Number(isEnabled), name));
  }

  removeUser(name: string): void {
    this.#change(() => this.#deleteUser(name));
  }

  /** Notes what is about to be done to a folder, so that a crash in between can be settled. */
  beginMove({ user, target }: FolderMove): void {
    this.#change(() => this.#run('INSERT OR REPLACE INTO folder_moves (user, target) VALUES (?, ?)', user, target));
  }

  /** The folder has moved: the user follows. */
  finishMove({ user, target }: FolderMove): void {
    this.#change(() => {
      if (target === null) this.#deleteUser(user);
      else {
        this.#run('DELETE FROM devices WHERE user = ?', target);
        this.#run('UPDATE users SET name = ? WHERE name = ?', target, user);
        this.#run('UPDATE devices SET user = ? WHERE user = ?', target, user);
      }
      this.#run('DELETE FROM folder_moves WHERE user = ?', user);
    });
  }

  /** The folder has not moved, and everything stays as it was. */
  forgetMove({ user }: FolderMove): void {
    this.#change(() => this.#run('DELETE FROM folder_moves WHERE user = ?', user));
  }

  /** A new device, in the place of those with `replacedIds`. Returns its id. */
  addDevice(device: Omit<StoredDevice, 'id'>, replacedIds: readonly number[]): number {
    const { user, keyDigest, settingProof, client, address, firstUsedMs, lastUsedMs } = device;
    return this.#change(() => {
      for (const id of replacedIds) this.#run('DELETE FROM devices WHERE id = ?', id);
      const values = [user, keyDigest, settingProof, client, address, firstUsedMs, lastUsedMs];
      return Number(
        this.#opened()
          .prepare(INSERT_DEVICE)
          .run(...values).lastInsertRowid,
      );
    });
  }

  removeDevices(ids: readonly number[]): void {
    this.#change(() => {
      for (const id of ids) this.#run('DELETE FROM devices WHERE id = ?', id);
    });
  }

  noteSightings(sightings: readonly DeviceSighting[]): void {
    this.#change(() => {
      for (const { id, client, address, lastUsedMs } of sightings) {
        this.#run(UPDATE_SEEN, client, address, lastUsedMs, id);
      }
    });
  }

  /** Nothing is written any more: the data folder may be another process's from now on. */
  close(): void {
    this.#isClosed = true;
    this.#db?.close();
    this.#db = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #deleteUser(name: string): void {
    this.#run('DELETE FROM users WHERE name = ?', name);
    this.#run('DELETE FROM devices WHERE user = ?', name);
  }

  /** Column names and types are those of the statement and of strict tables. */
  #rows(sql: string): Record<string, unknown>[] {
    return this.#db === undefined
      ? []
      : this.#db
          .prepare(sql)
          .all()
          .map((row) => ({ ...row })); // Theirs have no prototype.
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#opened()
      .prepare(sql)
      .run(...values);
  }

  #change<Result>(body: () => Result): Result {
    const db = this.#opened();
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = body();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  #opened(): DatabaseSync {
    if (this.#isClosed) throw new Error(`${this.file} is closed`);
    this.#db ??= openDatabase(this.file);
    return this.#db;
  }
}
