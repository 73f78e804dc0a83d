import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite';
import { parseLossless } from './lossless-json.ts';

/** Everything in a collection file: per table the rows by primary key, each column by name. */
export type CollectionContent = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;

/** The only table that has no declared key, in old schemas. */
const keyOfGraves = ['oid', 'type'];

const collation = /\s+collate\s+(?:"unicase"|'unicase'|`unicase`|\[unicase\]|unicase\b)/gi;

/** Columns that hold protobuf messages: compared field by field, because the order of the fields has no meaning. */
const messageColumns = new Set([
  'decks.common',
  'decks.kind',
  'deck_config.config',
  'notetypes.config',
  'fields.config',
  'templates.config',
]);
/** Columns that hold JSON: the order of the keys has no meaning. */
const jsonColumns = new Set(['config.val', 'col.conf', 'col.models', 'col.decks', 'col.dconf', 'col.tags']);
/**
 * Columns that nobody looks at. The config crosses the wire whole, so its rows need no usn; the official server sets them
 * to 0 each time that it sends the config.
 */
const idleColumns = new Set(['config.usn']);
/** In all messages this field holds the JSON of the keys that have no field of their own. */
const otherField = 255;

/**
 * Reads a whole collection file, of any schema, from its bytes. Values that SQLite stored with another type differ,
 * so that `5` and `5.0` are told apart. Statistics of the query planner are left out.
 */
export function collectionContent(file: Uint8Array): CollectionContent {
  using db = new DatabaseSync(':memory:', { defensive: false });
  db.deserialize(withoutWal(file));
  withoutCollation(db);
  return databaseContent(db);
}

/** The same of an open collection, after `withoutCollation`. Tables can be left out by their names in lower case. */
export function databaseContent(db: DatabaseSync, except: ReadonlySet<string> = new Set()): CollectionContent {
  const content: Record<string, Record<string, Record<string, unknown>>> = {};
  for (const table of texts(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")) {
    if (!except.has(table.toLowerCase())) content[table.toLowerCase()] = readTable(db, table);
  }
  return content;
}

/** The declarations of a file without comments, in lower case and with single blanks, sorted. */
export function collectionDeclarations(file: Uint8Array): readonly string[] {
  using db = new DatabaseSync(':memory:');
  db.deserialize(withoutWal(file));
  const sql = texts(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'");
  return sql.map((text) => text.replace(/--.*/g, '').toLowerCase().replace(/\s+/g, ' ')).sort();
}

/**
 * Begins a transaction in which Anki's collation is gone from the declarations, so that plain scans give all rows; looking
 * names up or ordering by them does not work. The connection must not be `defensive`; its file stays as it is.
 */
export function withoutCollation(db: DatabaseSync): void {
  db.exec('BEGIN; PRAGMA writable_schema = ON');
  const update = db.prepare('UPDATE sqlite_schema SET sql = ? WHERE rowid = ?');
  const declarations = db.prepare("SELECT rowid, sql FROM sqlite_schema WHERE sql LIKE '%unicase%'");
  declarations.setReturnArrays(true);
  for (const [rowid, sql] of declarations.all() as unknown as [number, string][]) {
    update.run(sql.replace(collation, ''), rowid);
  }
  db.exec('PRAGMA writable_schema = RESET');
}

/** A database in memory has no journal: bytes 18 and 19 of the header must not ask for one. */
function withoutWal(file: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(file);
  copy.set([1, 1], 18);
  return copy;
}

function texts(db: DatabaseSync, sql: string, ...values: SQLInputValue[]): string[] {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return (statement.all(...values) as unknown as [string][]).map(([text]) => text);
}

function readTable(db: DatabaseSync, table: string): Record<string, Record<string, unknown>> {
  const columns = texts(db, 'SELECT lower(name) FROM pragma_table_info(?)', table);
  const declared = texts(db, 'SELECT lower(name) FROM pragma_table_info(?) WHERE pk > 0', table);
  const keys = new Set(declared.length > 0 ? declared : keyOfGraves);
  const statement = db.prepare(`SELECT * FROM "${table}"`);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  const rows: Record<string, Record<string, unknown>> = {};
  for (const values of statement.all() as unknown as SQLOutputValue[][]) {
    const row: Record<string, unknown> = {};
    columns.forEach((column, index) => {
      const place = `${table.toLowerCase()}.${column}`;
      if (!idleColumns.has(place)) row[column] = readable(place, values[index] ?? null);
    });
    const key = columns.filter((column) => keys.has(column)).map((column) => String(row[column]));
    // In schema 11 equal graves may occur several times: told apart by counting.
    let name = key.join(' ');
    while (Object.hasOwn(rows, name)) name += "'";
    Object.defineProperty(rows, name, { value: row, enumerable: true });
  }
  return rows;
}

function readable(column: string, value: SQLOutputValue): unknown {
  if (typeof value === 'bigint') return BigInt.asIntN(53, value) === value ? Number(value) : value;
  if (typeof value === 'number') return { real: value };
  if (jsonColumns.has(column) && value !== '' && value !== null) {
    return parseLossless(typeof value === 'string' ? value : new TextDecoder().decode(value));
  }
  if (!(value instanceof Uint8Array)) return value;
  return messageColumns.has(column) ? readMessage(value) : `x'${Buffer.from(value).toString('hex')}'`;
}

/** The fields of a protobuf message by number, without knowing its schema; damaged ones as hexadecimal. */
function readMessage(bytes: Uint8Array): unknown {
  const fields: Record<number, unknown[]> = {};
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('the message ends too early');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  try {
    while (at < bytes.length) {
      const tag = Number(varint());
      fields[tag >> 3] ??= [];
      const list = fields[tag >> 3] ?? [];
      if ((tag & 7) === 0) {
        list.push(varint());
        continue;
      }
      const length = [0, 8, Number((tag & 7) === 2 ? varint() : 0n), 0, 0, 4][tag & 7] ?? 0;
      const part = bytes.subarray(at, at + length);
      at += length;
      list.push(tag >> 3 === otherField ? parseLossless(new TextDecoder().decode(part)) : printable(part));
    }
    return fields;
  } catch {
    return `x'${Buffer.from(bytes).toString('hex')}'`;
  }
}

function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : `x'${Buffer.from(bytes).toString('hex')}'`;
}
