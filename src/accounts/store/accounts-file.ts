import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../errors.ts';
import { inheritOwner } from '../../storage/inherit-owner.ts';
import { syncFolder } from '../../storage/replace-file.ts';

/** The file cannot be used; the text is for the person who runs the server. */
export class AccountStoreProblem extends Error {
  override readonly name = 'AccountStoreProblem';
}

/** Name of the file in the data folder. */
export const accountsFileName = 'accounts.db';

const schemaVersion = 1;

const SCHEMA = `
  CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL,
    is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    created_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE devices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    key_digest TEXT NOT NULL UNIQUE,
    setting_proof TEXT,
    client TEXT NOT NULL,
    address TEXT NOT NULL,
    first_used_ms INTEGER NOT NULL,
    last_used_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX devices_of_user ON devices (user);
  CREATE TABLE folder_moves (
    user TEXT NOT NULL PRIMARY KEY,
    target TEXT
  ) STRICT;
  PRAGMA user_version = ${schemaVersion};
`;

// A single file at rest, which can be copied. EXTRA also syncs the folder after the journal is gone: without it a
// power cut could bring the journal back, and with it an acknowledged change would be undone.
const DURABLE = `
  PRAGMA journal_mode = DELETE;
  PRAGMA synchronous = EXTRA;
  PRAGMA fullfsync = ON;
  PRAGMA secure_delete = ON;
`;

/** Opens the file, and makes it when it is not there. Throws `AccountStoreProblem`. */
export function openDatabase(file: string): DatabaseSync {
  makePrivate(file);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file);
    db.exec(DURABLE);
    const check = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (check !== 'ok') throw new Error(String(check));
  } catch (error) {
    db?.close();
    throw new AccountStoreProblem(
      `${file} cannot be used: ${messageOf(error)}. Put a copy of it back, or move it away and make the users again: their data are in their folders.`,
      { cause: error },
    );
  }
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > schemaVersion) {
    db.close();
    throw new AccountStoreProblem(`${file} was written by a later version of this program. Run that one.`);
  }
  if (version === 0) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
  return db;
}

/** The file is for this account only from its first byte on; SQLite gives its journal the same rights. */
function makePrivate(file: string): void {
  if (!existsSync(file)) {
    closeSync(openSync(file, 'wx', 0o600));
    inheritOwner(file);
    syncFolder(path.dirname(file));
  } else if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    chmodSync(file, 0o600); // Of a copy that was put back.
  }
}
