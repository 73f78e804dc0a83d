import { SyncError } from '../errors.ts';
import { type ExactInteger, toExactInteger } from '../storage/exact-rows.ts';
import { replacesStoredRow, type StoredVersion } from './merge.ts';
import { notetypeShape } from './notetype-store.ts';
import type { CardRow, NoteContent, RevlogRow } from './rows.ts';
import type { SyncWork } from './sync-work.ts';
import { cleanField, joinNoteTags, splitNoteTags } from './text/names.ts';
import { deriveNoteColumns } from './text/strip-html.ts';

const fieldSeparator = '\x1f';

const ADD_REVIEW = `
  INSERT INTO revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
`;
const PUT_CARD = `
  INSERT OR REPLACE INTO cards (id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue,
    odid, flags, data)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
`;
const PUT_NOTE = `
  INSERT OR REPLACE INTO notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')
`;

// The same for a row that is here and keeps its parent, with the same values in the same order. A row that is replaced
// loses and gains an entry in every index; so it keeps the one under its parent, and the cost is half.
const RENEW_CARD = `
  UPDATE OR REPLACE cards SET did = ?3, ord = ?4, mod = ?5, usn = ?6, type = ?7, queue = ?8, due = ?9, ivl = ?10,
    factor = ?11, reps = ?12, lapses = ?13, left = ?14, odue = ?15, odid = ?16, flags = ?17, data = ?18
  WHERE id = ?1 AND nid = ?2
`;
const RENEW_NOTE = `
  UPDATE OR REPLACE notes SET guid = ?2, mod = ?4, usn = ?5, tags = ?6, flds = ?7, sfld = ?8, csum = ?9, flags = 0,
    data = ''
  WHERE id = ?1 AND mid = ?3
`;

const CARD_VERSIONS = `
  SELECT cards.id, CAST(mod AS INTEGER), usn, nid FROM json_each(?) AS wanted CROSS JOIN cards ON cards.id = wanted.value
`;
const NOTE_VERSIONS = `
  SELECT notes.id, mod, usn, mid FROM json_each(?) AS wanted CROSS JOIN notes ON notes.id = wanted.value
`;

/** What is known of a stored row before it is replaced. */
interface StoredRow extends StoredVersion {
  /** The note of a card, the notetype of a note. */
  readonly parentId: ExactInteger;
}

/** Adds reviews. A review never changes, so one that is here already stays. */
export function mergeReviews(work: SyncWork, reviews: readonly RevlogRow[]): void {
  for (const review of reviews) {
    const added = work.plainSql.run(ADD_REVIEW, ...review);
    work.counts.revlog += added;
    work.tally.sent.reviews += added;
  }
}

/** Stores the cards that win over what is here. Neither their note nor their deck has to be there (yet). */
export function mergeCards(work: SyncWork, cards: readonly CardRow[]): void {
  const stored = storedVersions(
    work,
    CARD_VERSIONS,
    cards.map(([id]) => id),
  );
  for (const card of cards) {
    const [id, noteId, , , mtimeSecs, usn] = card;
    const current = stored.get(id);
    if (!replacesStoredRow(current, mtimeSecs, work.session.clientUsn)) continue;
    work.plainSql.run(current?.parentId === noteId ? RENEW_CARD : PUT_CARD, ...card);
    work.tally.sent.cards += 1;
    if (current === undefined) work.counts.cards += 1;
    stored.set(id, { usn, mtimeSecs, parentId: noteId });
  }
}

/** Stores the notes that win over what is here, with their sort field and checksum. */
export function mergeNotes(work: SyncWork, notes: readonly NoteContent[]): void {
  const stored = storedVersions(
    work,
    NOTE_VERSIONS,
    notes.map((note) => note.id),
  );
  for (const note of notes) {
    const current = stored.get(note.id);
    if (!replacesStoredRow(current, note.mtimeSecs, work.session.clientUsn)) continue;
    putNote(work, note, current?.parentId === note.notetypeId ? RENEW_NOTE : PUT_NOTE);
    work.tally.sent.notes += 1;
    if (current === undefined) work.counts.notes += 1;
    stored.set(note.id, { usn: note.usn, mtimeSecs: note.mtimeSecs, parentId: note.notetypeId });
  }
}

function putNote(work: SyncWork, note: NoteContent, sql: string): void {
  const shape = notetypeShape(work, note.notetypeId);
  if (shape === undefined) {
    throw new SyncError(
      'collectionInconsistent',
      `Cannot merge note ${note.id}: its notetype ${note.notetypeId} is missing`,
    );
  }
  const fields = note.fields.split(fieldSeparator).map(cleanField);
  const wanted = Math.max(1, shape.fieldCount);
  if (fields.length !== wanted) {
    const detail = `it has ${fields.length} fields, its notetype ${note.notetypeId} has ${wanted}`;
    throw new SyncError('collectionInconsistent', `Cannot merge note ${note.id}: ${detail}`);
  }
  const derived = deriveNoteColumns(fields, shape.sortField);
  work.plainSql.run(
    sql,
    note.id,
    note.guid,
    note.notetypeId,
    note.mtimeSecs,
    note.usn,
    joinNoteTags(splitNoteTags(note.tags)),
    fields.join(fieldSeparator),
    // Bound as text: the column's integer affinity turns what looks like a number into one, as Anki wants it.
    derived.sortField,
    derived.checksum,
  );
}

function storedVersions(work: SyncWork, sql: string, ids: readonly ExactInteger[]): Map<ExactInteger, StoredRow> {
  if (ids.length === 0) return new Map();
  const stored = new Map<ExactInteger, StoredRow>();
  for (const [id, mtime, usn, parentId] of work.plainSql.all(sql, `[${ids.join(',')}]`)) {
    stored.set(exact(id), { usn: Number(usn), mtimeSecs: exact(mtime), parentId: exact(parentId) });
  }
  return stored;
}

function exact(value: unknown): ExactInteger {
  return typeof value === 'bigint' ? toExactInteger(value) : Math.trunc(Number(value));
}
