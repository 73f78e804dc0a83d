import { DatabaseSync } from 'node:sqlite';
import { makeSchema11Snapshot } from './legacy-snapshot.ts';
import { createCollection } from './new-collection.ts';

/** Programs that read only this file of a package show this as the one card of the collection. */
const notice =
  'This collection was saved in a newer format. Please update Anki to version 2.1.50 or later, then import the file again.';

const noticeId = 1_700_000_000_000;
const fieldSeparator = '\u001f';

const INSERT_NOTE = `
  INSERT INTO notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data)
  VALUES (:id, 'update', :notetype, 0, 0, '', :fields, :sortField, 0, 0, '')
`;
const INSERT_CARD = `
  INSERT INTO cards (id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data)
  VALUES (:id, :id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '')
`;

/**
 * Makes the schema 11 file that a package in the current format has for programs that cannot read that: a collection of one
 * note, which asks for an update. `target` and `draft` are paths of new files; `draft` is gone afterwards unless it fails.
 */
export async function makeUpdateNotice(target: string, draft: string): Promise<void> {
  await createCollection(draft, { nowMs: noticeId });
  await makeSchema11Snapshot(draft, target);
  const db = new DatabaseSync(target, { enableForeignKeyConstraints: false });
  try {
    const models: unknown = JSON.parse(String(db.prepare('SELECT models FROM col').get()?.models));
    const [notetype] = Object.keys(models as Record<string, unknown>).sort();
    const fields = [notice, ''].join(fieldSeparator);
    db.prepare(INSERT_NOTE).run({ id: noticeId, notetype: Number(notetype), fields, sortField: notice });
    db.prepare(INSERT_CARD).run({ id: noticeId });
    // A file whose modification time is 0 would look like one that was never used.
    db.prepare('UPDATE col SET mod = ?').run(noticeId);
  } finally {
    db.close();
  }
}
