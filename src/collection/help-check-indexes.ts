import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { MiB } from '../limits.ts';
import { Statements } from '../storage/exact-rows.ts';
import { openStillDatabase } from '../storage/still-database.ts';
import { indexProblem } from './index-check.ts';
import { BIG_TABLES, type SharedIndexCheck } from './shared-index-check.ts';

/** Page cache, KiB: every page is read once, in order. */
const cacheKiB = 2 * 1024;
/** Values of this length may be computed from a small file, bytes. */
const computedBytesMin = 16 * MiB;

/**
 * Helps with the check of an upload that another thread is inspecting, which leaves the file as it is meanwhile. Whatever
 * is not plainly sound is left to that thread, which knows how to say it. Throws nothing: the file may be anything.
 */
export function helpCheckIndexes(file: string, shared: SharedIndexCheck): void {
  for (const table of BIG_TABLES.toReversed()) {
    if (shared.take(table)) shared.tell(table, hasSoundIndexes(file, table));
  }
}

function hasSoundIndexes(file: string, table: string): boolean {
  let db: DatabaseSync | undefined;
  try {
    const length = Math.max(computedBytesMin, statSync(file).size);
    db = openStillDatabase(file, { limits: { length } });
    db.exec(`PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA cache_size=-${cacheKiB}`);
    return indexProblem(new Statements(db), table) === undefined;
  } catch {
    return false;
  } finally {
    db?.close();
  }
}
