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

const TABLES_WITH_USN = ['cards', 'notes', 'revlog', 'graves', 'decks', 'deck_config', 'tags', 'notetypes'] as const;

/** The tables that hold an object marked as unsent (usn -1), which a server's must never do. */
export function tablesWithUnsent(work: SyncWork): string[] {
  return TABLES_WITH_USN.filter((table) => work.sql.get(`SELECT 1 FROM ${table} WHERE usn = -1 LIMIT 1`) !== undefined);
}

/** How many objects of each kind the collection has now. The big tables are not scanned. */
export function countObjects(work: SyncWork): ObjectCounts {
  return {
    ...work.counts,
    notetypes: work.sql.number('SELECT count() FROM notetypes NOT INDEXED'),
    decks: work.sql.number('SELECT count() FROM decks NOT INDEXED'),
    deckConfigs: work.sql.number('SELECT count() FROM deck_config NOT INDEXED'),
  };
}
