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
const CARD_VERSIONS = 'SELECT id, CAST(mod AS INTEGER), usn FROM cards WHERE id IN (SELECT value FROM json_each(?))';
const NOTE_VERSIONS = 'SELECT id, mod, usn FROM notes WHERE id IN (SELECT value FROM json_each(?))';

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
    const [id, , , , mtimeSecs, usn] = card;
    const current = stored.get(id);
    if (!replacesStoredRow(current, mtimeSecs, work.session.clientUsn)) continue;
    work.plainSql.run(PUT_CARD, ...card);
    work.tally.sent.cards += 1;
    if (current === undefined) work.counts.cards += 1;
    stored.set(id, { usn, mtimeSecs });
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
    putNote(work, note);
    work.tally.sent.notes += 1;
    if (current === undefined) work.counts.notes += 1;
    stored.set(note.id, { usn: note.usn, mtimeSecs: note.mtimeSecs });
  }
}

function putNote(work: SyncWork, note: NoteContent): void {
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
    PUT_NOTE,
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

function storedVersions(work: SyncWork, sql: string, ids: readonly ExactInteger[]): Map<ExactInteger, StoredVersion> {
  if (ids.length === 0) return new Map();
  const rows = work.plainSql.all(sql, `[${ids.join(',')}]`);
  return new Map(rows.map(([id, mtime, usn]) => [exact(id), { usn: Number(usn), mtimeSecs: exact(mtime) }]));
}

function exact(value: unknown): ExactInteger {
  return typeof value === 'bigint' ? toExactInteger(value) : Math.trunc(Number(value));
}
