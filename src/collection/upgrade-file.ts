import { DatabaseSync } from 'node:sqlite';
import { takeOutCollation } from './canonical-form.ts';
import { checkIn } from './check-in.ts';
import { upgradeToSchema18 } from './format/upgrade.ts';

/** What to do besides, within the same transaction. */
export interface UpgradeSteps {
  /** Current time, epoch seconds: the `mod` of objects that the conversion has to change. */
  readonly nowSecs: number;
  /** On the old schema, before anything else. */
  readonly before?: (db: DatabaseSync) => void;
  /** On schema 18, where every name can be read and written. */
  readonly after?: (db: DatabaseSync) => void;
}

/**
 * Brings a collection of schema 11, or 14 to 17, to schema 18, in place and in canonical form: one transaction, then a
 * check in, each durable. Cut off at any instant, the next open finds the old schema, the working form or the result.
 *
 * Objects that the conversion has to change (a deck renamed, an ease repaired) get the usn of the collection, so that
 * devices hear of them with their next sync; `mod`, `scm` and `usn` of the collection stay. Throws `FormatError` for
 * objects that Anki could not read either. Nobody else may have the file open. For the heavy-work thread.
 */
export async function upgradeFile(collectionPath: string, { nowSecs, before, after }: UpgradeSteps): Promise<void> {
  changeDurably(collectionPath, (db) => {
    before?.(db);
    takeOutCollation(db);
    upgradeToSchema18(db, { usnForChanged: usnOf(db), nowSecs });
    after?.(db);
  });
  await checkIn(collectionPath);
}

/** Runs `body` in a transaction on a file that nobody else has open, and leaves it alone in its folder, on the disk. */
export function changeDurably(file: string, body: (db: DatabaseSync) => void): void {
  changeAlone(file, 'FULL', body, (db) => {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)'); // Closing does it too, but does not say when the disk is full.
  });
}

/** Runs `body` in a transaction on a file that nobody else has open, and `afterwards` behind it. */
export function changeAlone(
  file: string,
  synchronous: 'FULL' | 'OFF',
  body: (db: DatabaseSync) => void,
  afterwards: (db: DatabaseSync) => void,
): void {
  const db = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  try {
    db.exec(`
      PRAGMA locking_mode=EXCLUSIVE;
      PRAGMA trusted_schema=OFF;
      PRAGMA temp_store=MEMORY;
      PRAGMA synchronous=${synchronous};
      BEGIN IMMEDIATE;
    `);
    body(db);
    db.exec('COMMIT');
    afterwards(db);
  } finally {
    db.close();
  }
}

function usnOf(db: DatabaseSync): number {
  const usn = db.prepare('SELECT usn FROM col').get()?.usn;
  return typeof usn === 'number' && usn >= 0 ? usn : 0;
}
