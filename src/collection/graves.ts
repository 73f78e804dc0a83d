import type { ExactInteger } from '../storage/exact-rows.ts';
import { isNewsFor } from './merge.ts';
import type { SyncWork } from './sync-work.ts';

/** Ids of deleted objects. */
export interface Graves {
  readonly cards: readonly ExactInteger[];
  readonly decks: readonly ExactInteger[];
  readonly notes: readonly ExactInteger[];
}

/** The numbers in `graves.type`. */
const graveType = { cards: 0, notes: 1, decks: 2 } as const;

/** Deletions that the client has not heard of. A grave of an unknown type is skipped. */
export function gravesSince(work: SyncWork, clientUsn: number): Graves {
  const graves = { cards: [] as ExactInteger[], decks: [] as ExactInteger[], notes: [] as ExactInteger[] };
  for (const [id, type, usn] of work.plainSql.all('SELECT oid, type, usn FROM graves WHERE usn >= ?', clientUsn)) {
    if (typeof id !== 'number' && typeof id !== 'bigint') continue;
    if (typeof usn !== 'number' || !isNewsFor(clientUsn, usn)) continue;
    if (type === graveType.cards) graves.cards.push(id);
    else if (type === graveType.notes) graves.notes.push(id);
    else if (type === graveType.decks) graves.decks.push(id);
  }
  return graves;
}

/**
 * Deletes just the named objects, in the order notes, cards, decks, and records each deletion, even of an object that is
 * not here. A deletion that is recorded already gets the present usn: an object that was deleted, added again and
 * deleted again must go on a third device too.
 */
export function applyGraves(work: SyncWork, graves: Graves): void {
  const { counts, tally } = work;
  const before = counts.notes + counts.cards;
  for (const id of graves.notes) counts.notes -= work.plainSql.run('DELETE FROM notes WHERE id = ?', id);
  for (const id of graves.cards) counts.cards -= work.plainSql.run('DELETE FROM cards WHERE id = ?', id);
  tally.sent.deletions += before - counts.notes - counts.cards;
  for (const id of graves.decks) {
    if (work.sql.get('SELECT 1 FROM decks WHERE id = ?', id) === undefined) continue;
    work.changeNames();
    work.sql.run('DELETE FROM decks WHERE id = ?', id);
    work.forgetDeckNames();
    tally.sent.deletions += 1;
  }
  for (const kind of ['notes', 'cards', 'decks'] as const) {
    for (const id of graves[kind]) {
      work.plainSql.run(
        'INSERT INTO graves (oid, type, usn) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET usn = excluded.usn',
        id,
        graveType[kind],
        work.session.serverUsn,
      );
    }
  }
}
