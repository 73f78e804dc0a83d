import type { Statements } from '../storage/exact-rows.ts';
import { KeptFacts } from './kept-facts.ts';

/** Rows of the big tables. */
export interface RowCounts {
  cards: number;
  notes: number;
  revlog: number;
}

/** The sizes of collections' big tables: counted once, then carried from sync to sync. */
export const keptCounts = new KeptFacts<RowCounts>();

/** The sizes of a collection's big tables, without scanning them when they are known. */
export function loadCounts(path: string, sql: Statements): RowCounts {
  const known = keptCounts.of(path, sql);
  if (known !== undefined) return { ...known };
  return {
    cards: sql.number('SELECT count() FROM cards'),
    notes: sql.number('SELECT count() FROM notes'),
    revlog: sql.number('SELECT count() FROM revlog'),
  };
}

/** Notes the sizes of a collection as committed. */
export function rememberCounts(path: string, sql: Statements, counts: RowCounts): void {
  keptCounts.keep(path, sql, { ...counts });
}
