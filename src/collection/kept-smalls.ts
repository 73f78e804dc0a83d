import type { Statements } from '../storage/exact-rows.ts';
import { KeptFacts } from './kept-facts.ts';

/** What a sync that changes no small object has to know of them: notetypes, decks, deck configs and tags. */
export interface SmallObjects {
  readonly notetypes: number;
  readonly decks: number;
  readonly deckConfigs: number;
  /** Highest usn of any of them: who has seen it needs none of them. */
  readonly newestUsn: number;
  /** Tables that hold an object marked as unsent (usn -1). */
  readonly unsent: readonly string[];
}

const SMALL_TABLES = ['decks', 'deck_config', 'tags', 'notetypes'] as const;

/** Of collections, in the state in which a sync left them. */
export const keptSmalls = new KeptFacts<SmallObjects>();

/** Reads them from a connection that can read names. */
export function readSmalls(sql: Statements): SmallObjects {
  const count = (table: string) => sql.number(`SELECT count() FROM ${table} NOT INDEXED`);
  const usns = SMALL_TABLES.map((table) => {
    const [lowest, highest] = sql.get(`SELECT min(usn), max(usn) FROM ${table} NOT INDEXED`) ?? [];
    return { table, highest: Number(highest ?? -1), hasUnsent: lowest === -1 };
  });
  return {
    notetypes: count('notetypes'),
    decks: count('decks'),
    deckConfigs: count('deck_config'),
    newestUsn: Math.max(...usns.map(({ highest }) => highest)),
    unsent: usns.filter(({ hasUnsent }) => hasUnsent).map(({ table }) => table),
  };
}

/** Notes them of a collection as committed; undefined forgets it. */
export function rememberSmalls(path: string, sql: Statements, smalls: SmallObjects | undefined): void {
  if (smalls === undefined) keptSmalls.forget(path);
  else keptSmalls.keep(path, sql, smalls);
}
