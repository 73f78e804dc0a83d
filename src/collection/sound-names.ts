import { type BtreeEntry, entriesOf } from '../storage/sqlite-btree.ts';
import { DoubtfulPageError, SqlitePages } from '../storage/sqlite-pages.ts';
import { readRecord, type StoredValue } from '../storage/sqlite-records.ts';
import { openStillDatabase } from '../storage/still-database.ts';
import { UNICASE_TABLE_LIST, UNICASE_TABLES, type UnicaseTable } from './canonical-form.ts';
import { INDEXES_OF_15, SMALL_TABLES } from './format/schema18.ts';
import { compareUnicaseBytes } from './wasm/byte-collation.ts';

/**
 * Are the small tables with names, and their indexes, plainly sound in a file that nobody changes meanwhile: pages, rows,
 * the order of the names by Anki's collation, and each index the same as its table? The file stays as it is.
 *
 * Only an SQLite that has the collation can say what is wrong with them, and loading it takes longer than to check all
 * else of a common collection. So the pages are read here, more strictly than SQLite does: false means only that it has
 * to look at them. Throws nothing: the file may be anything.
 */
export function hasSoundNames(file: string): boolean {
  try {
    const roots = rootsOf(file);
    using pages = new SqlitePages(file);
    for (const table of UNICASE_TABLES) checkTable(pages, roots, table);
    return true;
  } catch {
    return false;
  }
}

/** How a column is compared, and what it may hold: `rowId` is null in the record, `any blob` may be null as well. */
type Column = 'rowId' | 'integer' | 'name' | 'blob' | 'any blob';

interface Shape {
  readonly columns: readonly Column[];
  /** Places of the columns that tell rows apart; without them it is the row id. */
  readonly key: readonly number[];
  readonly indexes: Readonly<Record<string, IndexShape>>;
}

interface IndexShape {
  /** Places of its columns in the table. The row id, or what else tells rows apart, stands behind them. */
  readonly columns: readonly number[];
  /** So many of its first columns tell all entries apart; undefined when they need not. */
  readonly uniqueColumns?: number;
}

/** Columns in the order in which they are stored: the primary key of a table without row ids comes first, as declared. */
const SHAPES: Readonly<Record<UnicaseTable, Shape>> = {
  deck_config: { columns: ['rowId', 'name', 'integer', 'integer', 'blob'], key: [], indexes: {} },
  decks: {
    columns: ['rowId', 'name', 'integer', 'integer', 'blob', 'blob'],
    key: [],
    indexes: { idx_decks_name: { columns: [1], uniqueColumns: 1 } },
  },
  fields: {
    columns: ['integer', 'integer', 'name', 'blob'],
    key: [0, 1],
    indexes: { idx_fields_name_ntid: { columns: [2, 0, 1], uniqueColumns: 2 } },
  },
  notetypes: {
    columns: ['rowId', 'name', 'integer', 'integer', 'blob'],
    key: [],
    indexes: { idx_notetypes_name: { columns: [1], uniqueColumns: 1 }, idx_notetypes_usn: { columns: [3] } },
  },
  tags: { columns: ['name', 'integer', 'integer', 'any blob'], key: [0], indexes: {} },
  templates: {
    columns: ['integer', 'integer', 'name', 'integer', 'integer', 'blob'],
    key: [0, 1],
    indexes: {
      idx_templates_name_ntid: { columns: [2, 0, 1], uniqueColumns: 2 },
      idx_templates_usn: { columns: [4, 0, 1] },
    },
  },
};

const OBJECTS = `
  SELECT name, type, rootpage, sql FROM sqlite_schema
  WHERE lower(tbl_name) IN (${UNICASE_TABLE_LIST})
`;

/** First pages by name, if all is declared as Anki does and nothing else belongs to these tables. */
function rootsOf(file: string): ReadonlyMap<string, number> {
  const roots = new Map<string, number>();
  const db = openStillDatabase(file);
  try {
    for (const { name, rootpage, sql } of db.prepare(OBJECTS).all()) {
      if (DECLARATIONS.get(String(name)) !== plainSql(String(sql)))
        throw new DoubtfulPageError(`how ${name} is declared`);
      roots.set(String(name), Number(rootpage));
    }
  } finally {
    db.close();
  }
  if (roots.size !== DECLARATIONS.size) throw new DoubtfulPageError('a table or index is missing');
  return roots;
}

/** Older releases wrote some words in lower case. */
function plainSql(sql: string): string {
  return sql.toLowerCase().replaceAll(/\s+/g, ' ');
}

const DECLARATIONS: ReadonlyMap<string, string> = new Map([
  ...UNICASE_TABLES.map((name): [string, string] => [name, plainSql(SMALL_TABLES[name])]),
  ...Object.values(SHAPES).flatMap(({ indexes }) => Object.keys(indexes).map(indexDeclaration)),
]);

function indexDeclaration(name: string): [string, string] {
  const sql = INDEXES_OF_15.find((each) => each.includes(` ${name} `));
  if (sql === undefined) throw new Error(`No declaration of ${name}`);
  return [name, plainSql(sql)];
}

function checkTable(pages: SqlitePages, roots: ReadonlyMap<string, number>, table: UnicaseTable): void {
  const { columns, key, indexes } = SHAPES[table];
  const hasRowIds = key.length === 0;
  const expected = Object.keys(indexes).map((): Set<string> => new Set());
  let last: StoredValue[] = [];
  for (const entry of entriesOf(pages, rootOf(roots, table), hasRowIds ? 'rows' : 'keys')) {
    const row = rowOf(entry, columns);
    if (!hasRowIds) checkAscending(last, row, { columns: columns.slice(0, key.length), among: key.length });
    last = row;
    for (const [at, index] of Object.values(indexes).entries()) {
      expected[at]?.add(keyText([...index.columns.map((column) => row[column]), ...rowIdOf(entry)]));
    }
  }
  for (const [at, [name, index]] of Object.entries(indexes).entries()) {
    checkIndex(entriesOf(pages, rootOf(roots, name), 'keys'), {
      columns: [
        ...index.columns.map((column) => columns[column] ?? 'blob'),
        ...(hasRowIds ? ['integer' as const] : []),
      ],
      among: index.uniqueColumns,
      expected: expected[at] ?? new Set(),
    });
  }
}

interface Order {
  readonly columns: readonly Column[];
  /** No two are the same in so many of the first columns; by default in all. */
  readonly among?: number | undefined;
}

/** Every entry is expected, comes behind the one before it, and none is missing. */
function checkIndex(entries: Iterable<BtreeEntry>, order: Order & { readonly expected: Set<string> }): void {
  let last: StoredValue[] = [];
  for (const entry of entries) {
    const values = rowOf(entry, order.columns);
    checkAscending(last, values, order);
    last = values;
    if (!order.expected.delete(keyText(values))) throw new DoubtfulPageError('an entry of an index without a row');
  }
  if (order.expected.size > 0) throw new DoubtfulPageError('a row without an entry in an index');
}

function rootOf(roots: ReadonlyMap<string, number>, name: string): number {
  return roots.get(name) ?? 0;
}

/** The values of an entry, which are all there and of the right kinds. */
function rowOf({ record }: BtreeEntry, columns: readonly Column[]): StoredValue[] {
  const values = readRecord(record);
  const isWhole =
    values.length === columns.length && columns.every((column, at) => KINDS[column].includes(values[at]?.kind));
  if (!isWhole) throw new DoubtfulPageError('a row with other values than its table has');
  return values;
}

const KINDS: Readonly<Record<Column, readonly (StoredValue['kind'] | undefined)[]>> = {
  rowId: ['null'],
  integer: ['integer'],
  name: ['text'],
  blob: ['blob'],
  'any blob': ['blob', 'null'],
};

function rowIdOf({ rowId }: BtreeEntry): StoredValue[] {
  return rowId === undefined ? [] : [{ kind: 'integer', value: rowId }];
}

function checkAscending(last: readonly StoredValue[], next: readonly StoredValue[], { columns, among }: Order): void {
  if (last.length === 0) return;
  for (const [at] of columns.slice(0, among).entries()) {
    const order = compareValues(last[at], next[at]);
    if (order < 0) return;
    if (order > 0) throw new DoubtfulPageError('keys do not ascend');
  }
  throw new DoubtfulPageError('a key stands there twice');
}

function compareValues(a: StoredValue | undefined, b: StoredValue | undefined): number {
  if (a?.kind === 'integer' && b?.kind === 'integer') return a.value < b.value ? -1 : Number(a.value > b.value);
  if (a?.kind === 'text' && b?.kind === 'text') return compareUnicaseBytes(a.bytes, b.bytes);
  throw new DoubtfulPageError('a key that cannot be compared');
}

/** The same for the same values only. */
function keyText(values: readonly (StoredValue | undefined)[]): string {
  return values
    .map((value) => {
      if (value?.kind === 'integer') return `${value.value}`;
      return value?.kind === 'text' ? value.bytes.toString('hex') : '?';
    })
    .join(' ');
}
