import type { SyncWork } from './sync-work.ts';

/** Numbers of objects that both sides of a sync must agree on. */
export interface ObjectCounts {
  readonly cards: number;
  readonly notes: number;
  readonly revlog: number;
  readonly notetypes: number;
  readonly decks: number;
  readonly deckConfigs: number;
}

const BIG_TABLES = ['cards', 'notes', 'revlog', 'graves'] as const;

/** The tables that hold an object marked as unsent (usn -1), which a server's must never do. */
export function tablesWithUnsent(work: SyncWork): string[] {
  const { unsent } = work.smalls;
  const big = BIG_TABLES.filter(
    (table) => work.plainSql.get(`SELECT 1 FROM ${table} WHERE usn = -1 LIMIT 1`) !== undefined,
  );
  return [...big, ...unsent];
}

/** How many objects of each kind the collection has now. No table is scanned when nothing has changed in it. */
export function countObjects(work: SyncWork): ObjectCounts {
  const { notetypes, decks, deckConfigs } = work.smalls;
  return { ...work.counts, notetypes, decks, deckConfigs };
}
