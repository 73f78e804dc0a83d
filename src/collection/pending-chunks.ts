import { chunkObjectsMax } from '../limits.ts';
import type { SqlRow } from '../storage/exact-rows.ts';
import type { PendingChunks } from './rows.ts';
import type { SyncWork } from './sync-work.ts';

/** Rows for one chunk, in the column order of the wire. */
export interface ChunkRows {
  /** Nothing is left after this chunk. */
  readonly done: boolean;
  readonly revlog: readonly SqlRow[];
  readonly cards: readonly SqlRow[];
  readonly notes: readonly SqlRow[];
}

const REVLOG_BY_ID = `
  SELECT id, cid, usn, ease, CAST(ivl AS INTEGER), CAST(lastIvl AS INTEGER), factor, time, type
  FROM revlog WHERE id IN (SELECT value FROM json_each(?))
`;
const CARDS_BY_ID = `
  SELECT id, nid, did, ord, CAST(mod AS INTEGER), usn, type, queue, due, CAST(ivl AS INTEGER), factor, reps, lapses,
    left, odue, odid, flags, data
  FROM cards WHERE id IN (SELECT value FROM json_each(?))
`;
const NOTES_BY_ID = `
  SELECT id, guid, mid, mod, usn, tags, flds FROM notes WHERE id IN (SELECT value FROM json_each(?))
`;

/** The next chunk for the client of this sync. */
export function nextChunk(work: SyncWork): ChunkRows {
  work.session.pendingChunks ??= gatherIds(work);
  const { taken, done } = takeIds(work.session.pendingChunks, chunkObjectsMax);
  return {
    done,
    revlog: rowsById(work, REVLOG_BY_ID, taken.revlog),
    cards: rowsById(work, CARDS_BY_ID, taken.cards),
    notes: rowsById(work, NOTES_BY_ID, taken.notes),
  };
}

/**
 * Takes ids from the end of each list in turn, one review, one note, one card a round, until `objectsMax` are taken; it is
 * only tested between rounds, so a chunk can be two larger. A total that exactly uses up the budget is therefore not
 * `done`, and an empty chunk follows, as with the official server.
 */
export function takeIds(
  pending: PendingChunks,
  objectsMax: number,
): { taken: Record<keyof PendingChunks, bigint[]>; done: boolean } {
  const taken = { revlog: [] as bigint[], notes: [] as bigint[], cards: [] as bigint[] };
  let budget = objectsMax;
  while (budget > 0 && pending.revlog.length + pending.notes.length + pending.cards.length > 0) {
    for (const kind of ['revlog', 'notes', 'cards'] as const) {
      const id = pending[kind].at(-1);
      if (id === undefined) continue;
      pending[kind] = pending[kind].subarray(0, -1);
      taken[kind].push(id);
      budget -= 1;
    }
  }
  return { taken, done: budget > 0 };
}

function gatherIds(work: SyncWork): PendingChunks {
  const since = work.session.clientUsn;
  const condition = since === -1 ? 'usn = ?' : 'usn >= ?';
  return {
    revlog: work.plainSql.integers(`SELECT id FROM revlog WHERE ${condition} ORDER BY usn, id`, since),
    notes: work.plainSql.integers(`SELECT id FROM notes WHERE ${condition} ORDER BY usn, id`, since),
    cards: work.plainSql.integers(`SELECT id FROM cards WHERE ${condition} ORDER BY usn, id`, since),
  };
}

function rowsById(work: SyncWork, sql: string, ids: readonly bigint[]): SqlRow[] {
  if (ids.length === 0) return [];
  const rows = new Map(work.plainSql.all(sql, `[${ids.join(',')}]`).map((row) => [String(row[0]), row]));
  // A row may have been deleted since its id was gathered, by a late `applyGraves`.
  return ids.map((id) => rows.get(String(id))).filter((row) => row !== undefined);
}
