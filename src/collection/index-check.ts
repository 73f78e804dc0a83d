import type { SqlRow, Statements } from '../storage/exact-rows.ts';
import { quoteName } from './canonical-form.ts';
import { BIG_TABLES } from './shared-index-check.ts';

/** Their columns that hold integers and that Anki, or an add-on, makes indexes over. */
const INTEGER_COLUMNS = [
  'cid',
  'csum',
  'did',
  'due',
  'ivl',
  'mid',
  'mod',
  'nid',
  'odid',
  'ord',
  'queue',
  'type',
  'usn',
];

/** The one index of Anki that leaves rows out. */
const PARTIAL = /\bwhere\s+odid\s*(?:!=|<>)\s*0\s*$/i;

/** Primes: the sums of their products stay within 64 bits for ninety million rows. */
const rowFactor = 8_191;
const columnFactor = 65_521;
/** Keys of 0 and -1 are frequent, and a factor of 0 would hide the row id. */
const keyOffset = 40_009;
/** Columns of one index count differently, so that it matters which holds what. A factor of 1 would cost time, too. */
const columnWeights = ['', ' * 31', ' * 61', ' * 89'];

interface ComparableIndex {
  readonly name: string;
  /** What one row adds to the sum. */
  readonly term: string;
  /** Rows that are in the index; empty for all. */
  readonly condition: string;
}

/**
 * What is wrong with the indexes of a table whose b-trees are whole, or undefined.
 *
 * For the big tables SQLite's own check looks every row up in every index, which takes longer and longer as the indexes
 * outgrow the page cache: 14 s for 440 MB. Here index and table are read once, in their own order, and must agree in
 * the number of entries and in a sum over products of key and row id, which a missing, doubled or wrong entry changes. That
 * takes a fifth of a second for each million entries. Everything else is left to SQLite.
 */
export function indexProblem(statements: Statements, table: string): string | undefined {
  const indexes = BIG_TABLES.includes(table.toLowerCase()) ? comparableIndexes(statements, table) : undefined;
  if (indexes === undefined) {
    const found = statements.get(`PRAGMA integrity_check(${quoteName(table)})`)?.[0];
    return found === 'ok' ? undefined : String(found);
  }
  if (indexes.length === 0) return undefined;
  const inTable = sumsOfTable(statements, table, indexes);
  for (const [at, { name, term, condition }] of indexes.entries()) {
    const source = indexSource(table, name, condition);
    const inIndex = statements.get(`SELECT count(*), coalesce(sum(${term}), 0) FROM ${source}`) ?? [];
    if (inIndex[0] !== inTable[2 * at]) return `wrong # of entries in index ${name}`;
    if (inIndex[1] !== inTable[2 * at + 1]) return `the entries of index ${name} are not those of its table`;
  }
  return undefined;
}

/** Count and sum for every index, in one pass over the table. */
function sumsOfTable(statements: Statements, table: string, indexes: readonly ComparableIndex[]): SqlRow {
  const sums = indexes.map(({ term, condition }) => {
    const filter = condition === '' ? '' : `FILTER (WHERE ${condition})`;
    return `count(*) ${filter}, coalesce(sum(${term}) ${filter}, 0)`;
  });
  return statements.get(`SELECT ${sums.join(', ')} FROM ${quoteName(table)} NOT INDEXED`) ?? [];
}

/** All indexes of a table; undefined when one of them is of a kind that only SQLite can check. */
function comparableIndexes(statements: Statements, table: string): ComparableIndex[] | undefined {
  const indexes: ComparableIndex[] = [];
  for (const row of statements.all('SELECT name, "unique", partial FROM pragma_index_list(?)', table)) {
    const [name, unique, partial] = [String(row[0]), row[1], row[2]];
    const sql = String(statements.get("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?", name)?.[0]);
    const columns = statements
      .all('SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1', name)
      .map(([column, collation]) => (collation === 'BINARY' ? String(column).toLowerCase() : ''));
    const isPlain = columns.length <= columnWeights.length && columns.every((each) => INTEGER_COLUMNS.includes(each));
    if (unique !== 0 || !isPlain || (partial !== 0 && !PARTIAL.test(sql))) return undefined;
    const factors = columns.map((column, at) => `${quoteName(column)} % ${columnFactor}${columnWeights[at]}`);
    const index = {
      name,
      term: `(${factors.join(' + ')} + ${keyOffset}) * (id % ${rowFactor} + 1)`,
      condition: partial === 0 ? '' : 'odid != 0',
    };
    if (!isCovering(statements, table, index)) return undefined;
    indexes.push(index);
  }
  return indexes;
}

/** Is only the index read? Otherwise nothing would be compared. */
function isCovering(statements: Statements, table: string, { name, term, condition }: ComparableIndex): boolean {
  const source = indexSource(table, name, condition);
  const plan = statements.all(`EXPLAIN QUERY PLAN SELECT count(*), sum(${term}) FROM ${source}`);
  return plan.every((step) => String(step[3]).includes('USING COVERING INDEX'));
}

function indexSource(table: string, index: string, condition: string): string {
  const where = condition === '' ? '' : ` WHERE ${condition}`;
  return `${quoteName(table)} INDEXED BY ${quoteName(index)}${where}`;
}
