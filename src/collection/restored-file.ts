import type { DatabaseSync } from 'node:sqlite';
import { openStillDatabase } from '../storage/still-database.ts';
import { changeDurably } from './upgrade-file.ts';

const STAMPS = 'SELECT mod, scm, usn FROM col';
const STAMP = 'UPDATE col SET mod = :timeMs, scm = :timeMs, ls = :timeMs, usn = :usn';

/**
 * Marks a collection file as one that every device has to take over or replace as a whole: new times of schema and
 * modification, later than those of the collection whose place it takes, and a higher usn. `replaced` may be missing or
 * damaged. Durable. Nobody has either file open.
 */
export function markRestored(file: string, replaced: string, nowMs: number): void {
  const stamps = [stampsOf(file), stampsOf(replaced)].filter((found) => found !== undefined);
  const timeMs = Math.max(nowMs, ...stamps.flatMap(({ modMs, scmMs }) => [modMs + 1, scmMs + 1]));
  const usn = Math.max(...stamps.map((stamp) => stamp.usn), 0) + 1;
  changeDurably(file, (db) => db.prepare(STAMP).run({ timeMs, usn }));
}

interface Stamps {
  readonly modMs: number;
  readonly scmMs: number;
  readonly usn: number;
}

function stampsOf(file: string): Stamps | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = openStillDatabase(file);
    const { mod, scm, usn } = db.prepare(STAMPS).get() ?? {};
    if (typeof mod !== 'number' || typeof scm !== 'number' || typeof usn !== 'number') return undefined;
    return { modMs: mod, scmMs: scm, usn };
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}
