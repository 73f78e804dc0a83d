import type { Statements } from '../storage/exact-rows.ts';

/** Rows of the big tables. */
export interface RowCounts {
  cards: number;
  notes: number;
  revlog: number;
}

const rememberedMax = 10_000;
const remembered = new Map<string, { readonly stamp: string; readonly counts: RowCounts }>();

/**
 * The sizes of a collection's big tables without scanning them: counted once, then carried from sync to sync. They are
 * valid as long as the collection bears the times and usn that it had when they were noted, so a collection that another
 * program changed is counted anew.
 */
export function loadCounts(path: string, sql: Statements): RowCounts {
  const known = remembered.get(path);
  if (known !== undefined && known.stamp === stampOf(sql)) return { ...known.counts };
  return {
    cards: sql.number('SELECT count() FROM cards'),
    notes: sql.number('SELECT count() FROM notes'),
    revlog: sql.number('SELECT count() FROM revlog'),
  };
}

/** Notes the sizes of a collection as committed. */
export function rememberCounts(path: string, sql: Statements, counts: RowCounts): void {
  remembered.delete(path);
  remembered.set(path, { stamp: stampOf(sql), counts: { ...counts } });
  const oldest = remembered.keys().next();
  if (remembered.size > rememberedMax && oldest.done !== true) remembered.delete(oldest.value);
}

/** The times and usn that tell one state of a collection from the others. */
export function stampOf(sql: Statements): string {
  return String(sql.get('SELECT mod, scm, usn, ls FROM col'));
}
