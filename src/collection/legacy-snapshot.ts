import { rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { cloneFile } from '../storage/replace-file.ts';
import { takeOutCollation } from './canonical-form.ts';
import { downgradeToSchema11 } from './format/downgrade.ts';
import { changeAlone } from './upgrade-file.ts';

/**
 * Writes the schema 18 file `source`, which nobody changes meanwhile, as a schema 11 file to `target`, for clients of
 * sync versions 8 to 10: a single file in rollback mode, with `mod`, `scm` and `usn` as they are. `target` is a new
 * private file on the same file system; it is not made durable, as it is only sent, and does not exist after an error.
 *
 * Throws `FormatError` if an object in the collection cannot be converted. For the heavy-work thread.
 */
export async function makeSchema11Snapshot(source: string, target: string): Promise<void> {
  try {
    cloneFile(source, target);
    downgradeFile(target);
  } catch (error) {
    for (const suffix of ['', '-journal', '-wal']) rmSync(target + suffix, { force: true });
    throw error;
  }
}

function downgradeFile(file: string): void {
  const downgrade = (db: DatabaseSync) => {
    takeOutCollation(db);
    downgradeToSchema11(db);
  };
  changeAlone(file, 'OFF', downgrade, (db) => {
    const mode = db.prepare('PRAGMA journal_mode=DELETE').get()?.journal_mode;
    if (mode !== 'delete') throw new Error(`Cannot leave WAL mode: ${file}`);
  });
}
