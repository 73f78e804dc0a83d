import { chunkObjectsMax } from '../limits.ts';
import type { ExactInteger, SqlRow } from '../storage/exact-rows.ts';
import { hasRoom, portionsOfNext } from './chunk-size.ts';
import { parseJson } from './format/json.ts';
import type { PendingChunks, PendingIds } from './rows.ts';
import type { SyncWork } from './sync-work.ts';

/** Rows for one chunk, in the column order of the wire. */
export interface ChunkRows {
  /** Nothing is left after this chunk. */
  readonly done: boolean;
  readonly revlog: readonly SqlRow[];
  readonly cards: readonly SqlRow[];
  readonly notes: readonly SqlRow[];
}

const KINDS = ['revlog', 'notes', 'cards'] as const;
type Kind = (typeof KINDS)[number];

// In the order of the ids: the list is what is gone through, and each row is looked up. A row may have been deleted since
// its id was gathered, by a late `applyGraves`.
const ROWS_BY_ID: Readonly<Record<Kind, string>> = {
  revlog: `
    SELECT revlog.id, cid, usn, ease, CAST(ivl AS INTEGER), CAST(lastIvl AS INTEGER), factor, time, revlog.type
    FROM json_each(?) AS wanted CROSS JOIN revlog ON revlog.id = wanted.value
  `,
  cards: `
    SELECT cards.id, nid, did, ord, CAST(mod AS INTEGER), usn, cards.type, queue, due, CAST(ivl AS INTEGER), factor, reps,
      lapses, left, odue, odid, flags, data
    FROM json_each(?) AS wanted CROSS JOIN cards ON cards.id = wanted.value
  `,
  notes: `
    SELECT notes.id, guid, mid, mod, usn, tags, flds
    FROM json_each(?) AS wanted CROSS JOIN notes ON notes.id = wanted.value
  `,
};

/** What a value takes in JSON besides the text in it, bytes; an estimate. */
const valueBytes = 7;

/** The next chunk for the client of this sync, which asks for it now: one portion, or more when there is much to send. */
export function nextChunk(work: SyncWork, nowMs: number): ChunkRows {
  const pending = pendingOf(work, nowMs);
  const portions = portionsOfNext(pending.sent, nowMs);
  const rows: Record<Kind, SqlRow[]> = { revlog: [], notes: [], cards: [] };
  const held = { portions: 0, bytes: 0 };
  let done = false;
  while (!done && hasRoom(portions, held)) {
    const portion = takeIds(pending.ids, chunkObjectsMax);
    for (const kind of KINDS) {
      const more = rowsById(work, kind, portion.taken[kind]);
      rows[kind] = rows[kind].concat(more);
      held.bytes += more.reduce((sum, row) => sum + bytesOf(row), 0);
    }
    held.portions += 1;
    done = portion.done;
  }
  pending.sent = { count: pending.sent.count + 1, portions, askedMs: nowMs };
  return { done, ...rows };
}

/**
 * Takes ids from the end of each list in turn, one review, one note, one card a round, until `objectsMax` are taken; it is
 * only tested between rounds, so a portion can be two larger. A total that exactly uses up the budget is therefore not
 * `done`, and an empty chunk follows, as with the official server.
 */
export function takeIds(
  pending: PendingIds,
  objectsMax: number,
): { readonly taken: Readonly<Record<Kind, readonly ExactInteger[]>>; readonly done: boolean } {
  const counts = { revlog: 0, notes: 0, cards: 0 };
  let budget = objectsMax;
  for (let before = Number.NaN; budget > 0 && budget !== before; ) {
    before = budget;
    for (const kind of KINDS) {
      if (counts[kind] === pending[kind].length) continue;
      counts[kind] += 1;
      budget -= 1;
    }
  }
  const { revlog, notes, cards } = counts;
  const taken = {
    revlog: takeLast(pending, 'revlog', revlog),
    notes: takeLast(pending, 'notes', notes),
    cards: takeLast(pending, 'cards', cards),
  };
  return { taken, done: budget > 0 };
}

/** The last ones first. */
function takeLast(pending: PendingIds, kind: Kind, count: number): ExactInteger[] {
  return pending[kind].splice(pending[kind].length - count).reverse();
}

function pendingOf(work: SyncWork, nowMs: number): PendingChunks {
  const { session } = work;
  session.pendingChunks ??= { ids: gatherIds(work), sent: { count: 0, portions: 1, askedMs: nowMs } };
  return session.pendingChunks;
}

function gatherIds(work: SyncWork): PendingIds {
  return { revlog: idsOf(work, 'revlog'), notes: idsOf(work, 'notes'), cards: idsOf(work, 'cards') };
}

/** In the order of usn and id, in which the index over the usn holds them: a list for each usn, as one text. */
function idsOf(work: SyncWork, table: Kind): ExactInteger[] {
  const since = work.session.clientUsn;
  const condition = since === -1 ? 'usn = ?' : 'usn >= ?';
  const sql = `SELECT json_group_array(id) FROM ${table} WHERE ${condition} GROUP BY usn ORDER BY usn`;
  return work.plainSql.all(sql, since).flatMap(([list]) => parseJson(String(list)) as ExactInteger[]);
}

function rowsById(work: SyncWork, kind: Kind, ids: readonly ExactInteger[]): SqlRow[] {
  return ids.length === 0 ? [] : work.plainSql.all(ROWS_BY_ID[kind], `[${ids.join(',')}]`);
}

function bytesOf(row: SqlRow): number {
  let bytes = 0;
  for (const value of row) bytes += valueBytes + (typeof value === 'string' ? Buffer.byteLength(value) : 0);
  return bytes;
}
