import { DatabaseSync } from 'node:sqlite';
import { takeOutCollation, toWorkingForm } from './canonical-form.ts';
import { checkIn } from './check-in.ts';
import { upgradeToSchema18 } from './format/upgrade.ts';

/**
 * Brings a collection of schema 11, or 14 to 17, to schema 18, in place and in canonical form: one transaction, then a
 * check in, each durable. Cut off at any instant, the next open finds the old schema, the working form or the result.
 *
 * Objects that the conversion has to change (a deck renamed, an ease repaired) get the usn of the collection, so that
 * devices hear of them with their next sync; `mod`, `scm` and `usn` of the collection stay. Throws `FormatError` for
 * objects that Anki could not read either. `complete` may add to the result within the same transaction. Nobody else may have the file open. For the heavy-work thread.
 */
export async function upgradeFile(
  collectionPath: string,
  nowSecs: number,
  complete: (db: DatabaseSync) => void = () => {},
): Promise<void> {
  const db = new DatabaseSync(collectionPath, { enableForeignKeyConstraints: false });
  try {
    db.exec(`
      PRAGMA locking_mode=EXCLUSIVE;
      PRAGMA trusted_schema=OFF;
      PRAGMA temp_store=MEMORY;
      PRAGMA synchronous=FULL;
    `);
    db.exec('BEGIN IMMEDIATE');
    takeOutCollation(db);
    toWorkingForm(db);
    upgradeToSchema18(db, { usnForChanged: usnOf(db), nowSecs });
    complete(db);
    db.exec('COMMIT');
  } finally {
    db.close();
  }
  await checkIn(collectionPath);
}

function usnOf(db: DatabaseSync): number {
  const usn = db.prepare('SELECT usn FROM col').get()?.usn;
  return typeof usn === 'number' && usn >= 0 ? usn : 0;
}
