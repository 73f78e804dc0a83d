import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { zstdDecompressSync } from 'node:zlib';
import { type SqlRow, Statements } from '../../../storage/exact-rows.ts';
import { takeOutCollation } from '../../canonical-form.ts';
import { isJsonObject, JsonFloat, type JsonValue, parseJson } from '../json.ts';

const folder = path.join(import.meta.dirname, '../../../../test/fixtures');

/** Real collections of schema 18, by their names under `collections/`. */
export const collections18 = [
  'fresh-empty',
  'fresh-server',
  'medium',
  'non-ascii-names',
  'rich',
  'rich-client-pending',
  'schema11-upgraded/anki-2.1.15',
  'schema11-upgraded/fresh-empty',
  'schema11-upgraded/non-ascii-names',
  'schema11-upgraded/rich',
  'other-releases/2.1.40-then-current',
  'other-releases/2.1.54-schema18',
  'other-releases/23.10-schema18',
] as const;

/** Real collections of schema 11 for which the official upgrade is kept under `schema11-upgraded/`. */
export const collections11 = ['anki-2.1.15', 'fresh-empty', 'non-ascii-names', 'rich'] as const;

/** A fixture in memory, with the collation taken out of its declarations; the file stays as it is. */
export function openCollection(name: string): DatabaseSync & Disposable {
  const bytes =
    name === 'medium' || name.startsWith('uploads/')
      ? zstdDecompressSync(read(`collections/${name}.anki2.zst`))
      : read(`collections/${name}.anki2`);
  bytes.set([1, 1], 18); // A database in memory has no WAL.
  const db = new DatabaseSync(':memory:', { defensive: false });
  db.deserialize(bytes);
  db.exec('BEGIN IMMEDIATE');
  takeOutCollation(db);
  db.exec('COMMIT');
  return db;
}

/** Collections of which `json/` shows what the official server hands out, and where their files are. */
export const handedOut = [
  { name: 'anki-2.1.15', file: 'schema11-upgraded/anki-2.1.15' },
  { name: 'fresh-empty', file: 'fresh-empty' },
  { name: 'fresh-server', file: 'fresh-server' },
  { name: 'medium', file: 'medium' },
  { name: 'non-ascii-names', file: 'non-ascii-names' },
  { name: 'rich', file: 'rich' },
] as const;

/** The objects that the official server hands out to a device that knows nothing: `json/<collection>/<part>.json`. */
export function readHandedOut(collection: string, part: 'notetypes' | 'decks' | 'deck-configs'): JsonValue {
  return parseJson(read(`json/${collection}/${part}.json`).toString());
}

/** All rows of a query, with exact integers. */
export function rowsOf(db: DatabaseSync, sql: string): SqlRow[] {
  return new Statements(db).all(sql);
}

/** Values that are equal exactly if Anki would see no difference: floats by their text, keys in any order. */
export function comparable(value: JsonValue): unknown {
  if (value instanceof JsonFloat) return { float: String(value) };
  if (Array.isArray(value)) return value.map(comparable);
  if (!isJsonObject(value)) return value;
  return new Map(Object.entries(value).map(([key, member]) => [key, comparable(member)]));
}

function read(name: string): Buffer {
  return readFileSync(path.join(folder, name));
}
