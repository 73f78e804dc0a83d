import { SyncError } from '../errors.ts';
import type { ExactInteger, SqlRow } from '../storage/exact-rows.ts';
import { decodeBlob } from './format/blobs.ts';
import type { JsonObject, JsonValue } from './format/json.ts';
import {
  type Notetype,
  type NotetypeField,
  type NotetypeTemplate,
  notetypeFromJson,
  notetypeToJson,
  readNotetype,
} from './format/notetype.ts';
import { NotetypeConfigSchema } from './format/proto/collection_pb.ts';
import { isNewsFor, replacesStoredObject } from './merge.ts';
import type { NotetypeShape, SyncWork } from './sync-work.ts';
import { uniqueName } from './text/names.ts';

const FIELDS = 'SELECT ord, name, config FROM fields WHERE ntid = ? ORDER BY ord';
const TEMPLATES = 'SELECT ord, name, mtime_secs, usn, config FROM templates WHERE ntid = ? ORDER BY ord';

/** Notetypes that the client has not seen, as schema 11 JSON. */
export function notetypesSince(work: SyncWork, clientUsn: number): JsonObject[] {
  return work.sql
    .all('SELECT id, usn FROM notetypes NOT INDEXED ORDER BY id')
    .filter(([, usn]) => isNewsFor(clientUsn, Number(usn)))
    .flatMap(([id]) => storedNotetype(work, BigInt(id as ExactInteger)) ?? [])
    .map(notetypeToJson);
}

/** Stores a notetype from a client, if it wins over the one that is here. */
export function mergeNotetype(work: SyncWork, json: JsonValue): void {
  const { id, mtimeSecs } = readNotetype(json); // One that is too old is skipped, whatever else is wrong with it.
  const stored = storedNotetype(work, id);
  if (!replacesStoredObject(stored, mtimeSecs)) return;
  const incoming = notetypeFromJson(json, stored);
  if (stored !== undefined && !hasSameShape(stored, incoming)) {
    const detail = 'the number of its fields or templates changed, which takes a full sync';
    throw new SyncError('collectionInconsistent', `Cannot merge notetype ${id}: ${detail}`);
  }
  const name = uniqueName(incoming.name, '+', (candidate) => {
    const owner = work.notetypeNames.ownerOf(candidate);
    return owner !== undefined && owner !== String(id);
  });
  const renamed =
    name === incoming.name ? incoming : { ...incoming, name, mtimeSecs: work.nowSecs, usn: work.session.serverUsn };
  if (stored !== undefined && hasSameNames(stored, renamed)) updateInPlace(work, renamed);
  else rewrite(work, renamed);
  work.notetypeShapes.delete(String(id));
  work.tally.sent.notetypes += 1;
}

/** Fields of the notes of a notetype; remembered for the length of the sync. */
export function notetypeShape(work: SyncWork, id: ExactInteger): NotetypeShape | undefined {
  const key = String(id);
  if (!work.notetypeShapes.has(key)) work.notetypeShapes.set(key, readShape(work, id));
  return work.notetypeShapes.get(key);
}

function readShape(work: SyncWork, id: ExactInteger): NotetypeShape | undefined {
  const row = work.sql.get('SELECT config FROM notetypes WHERE id = ?', id);
  if (row === undefined) return undefined;
  const config = decodeBlob(NotetypeConfigSchema, asBlob(row[0]), `notetype ${id}`);
  return {
    fieldCount: work.sql.number('SELECT count() FROM fields WHERE ntid = ?', id),
    sortField: config.sortFieldIdx,
  };
}

function storedNotetype(work: SyncWork, id: bigint): Notetype | undefined {
  const row = work.sql.get('SELECT name, mtime_secs, usn, config FROM notetypes WHERE id = ?', id);
  if (row === undefined) return undefined;
  const [name, mtimeSecs, usn, config] = row;
  return {
    id,
    name: String(name),
    mtimeSecs: Number(mtimeSecs),
    usn: Number(usn),
    config: asBlob(config),
    fields: work.sql.all(FIELDS, id).map(readField),
    templates: work.sql.all(TEMPLATES, id).map(readTemplate),
  };
}

function readField([ord, name, config]: SqlRow): NotetypeField {
  return { ord: Number(ord), name: String(name), config: asBlob(config) };
}

function readTemplate([ord, name, mtimeSecs, usn, config]: SqlRow): NotetypeTemplate {
  return {
    ord: Number(ord),
    name: String(name),
    mtimeSecs: Number(mtimeSecs),
    usn: Number(usn),
    config: asBlob(config),
  };
}

function hasSameShape(a: Notetype, b: Notetype): boolean {
  return a.fields.length === b.fields.length && a.templates.length === b.templates.length;
}

/** The same names in the same places: then the b-trees that SQLite cannot order here need not be touched. */
function hasSameNames(a: Notetype, b: Notetype): boolean {
  const names = (notetype: Notetype) => [
    notetype.name,
    ...[...notetype.fields, ...notetype.templates].map((part) => `${part.ord} ${part.name}`),
  ];
  const other = names(b);
  return names(a).every((name, index) => name === other[index]);
}

function updateInPlace(work: SyncWork, notetype: Notetype): void {
  const { id, mtimeSecs, usn, config } = notetype;
  work.sql.run('UPDATE notetypes SET mtime_secs = ?, usn = ?, config = ? WHERE id = ?', mtimeSecs, usn, config, id);
  for (const field of notetype.fields) {
    work.sql.run('UPDATE fields SET config = ? WHERE ntid = ? AND ord = ?', field.config, id, field.ord);
  }
  for (const template of notetype.templates) {
    const { ord } = template;
    work.sql.run(
      'UPDATE templates SET mtime_secs = ?, usn = ?, config = ? WHERE ntid = ? AND ord = ?',
      template.mtimeSecs,
      template.usn,
      template.config,
      id,
      ord,
    );
  }
}

function rewrite(work: SyncWork, notetype: Notetype): void {
  const { id, name, mtimeSecs, usn, config } = notetype;
  work.changeNames();
  work.sql.run('DELETE FROM fields WHERE ntid = ?', id);
  work.sql.run('DELETE FROM templates WHERE ntid = ?', id);
  work.sql.run(
    'INSERT OR REPLACE INTO notetypes (id, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?)',
    id,
    name,
    mtimeSecs,
    usn,
    config,
  );
  for (const field of notetype.fields) {
    work.sql.run(
      'INSERT INTO fields (ntid, ord, name, config) VALUES (?, ?, ?, ?)',
      id,
      field.ord,
      field.name,
      field.config,
    );
  }
  for (const template of notetype.templates) {
    work.sql.run(
      'INSERT INTO templates (ntid, ord, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      template.ord,
      template.name,
      template.mtimeSecs,
      template.usn,
      template.config,
    );
  }
  work.notetypeNames.set(String(id), name);
}

/** A blob column; Anki refuses a text there. */
function asBlob(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new SyncError(
    'collectionInconsistent',
    'Cannot read a notetype: a column that must be a blob holds something else',
  );
}
