/** A column as `PRAGMA table_info` tells it, the name in lower case. */
export interface Column {
  readonly name: string;
  readonly mustBeGiven: boolean;
  /** Position in the primary key from 1, or 0. */
  readonly keyPosition: number;
}

/** Columns by table, names in lower case: Anki's releases differ in letter case. */
export type Tables = ReadonlyMap<string, readonly Column[]>;

/** Schema versions that Anki opens. Source: collection-format, accepted versions. */
const READABLE_VERSIONS = [11, 14, 15, 16, 17, 18];

/** Columns of a table in any order, those of the primary key marked with `*` in its order. */
type Shape = Readonly<Record<string, string>>;

const SINCE_11: Shape = {
  col: '*id crt mod scm ver dty usn ls conf models decks dconf tags',
  notes: '*id guid mid mod usn tags flds sfld csum flags data',
  cards: '*id nid did ord mod usn type queue due ivl factor reps lapses left odue odid flags data',
  revlog: '*id cid usn ease ivl lastivl factor time type',
};

const SINCE_14: Shape = {
  config: '*key usn mtime_secs val',
  deck_config: '*id name mtime_secs usn config',
};

const SINCE_15: Shape = {
  fields: '*ntid *ord name config',
  templates: '*ntid *ord name mtime_secs usn config',
  notetypes: '*id name mtime_secs usn config',
  decks: '*id name mtime_secs usn common kind',
};

/** Why a collection of this version and with these tables is of no use to Anki, or undefined if it is. */
export function shapeProblem(version: unknown, tables: Tables): string | undefined {
  if (typeof version !== 'number' || !READABLE_VERSIONS.includes(version)) return `schema version ${version}`;
  for (const [table, shape] of Object.entries(shapesOf(version))) {
    const problem = tableProblem(table, shape.split(' '), tables.get(table));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function shapesOf(version: number): Shape {
  return {
    ...SINCE_11,
    graves: version >= 18 ? '*oid *type usn' : 'usn oid type',
    ...(version >= 14 ? { ...SINCE_14, tags: version >= 17 ? '*tag usn collapsed config' : '*tag usn' } : {}),
    ...(version >= 15 ? SINCE_15 : {}),
  };
}

function tableProblem(
  table: string,
  wanted: readonly string[],
  columns: readonly Column[] | undefined,
): string | undefined {
  if (columns === undefined) return `no table ${table}`;
  const names = wanted.map((column) => column.replace('*', ''));
  const missing = names.find((name) => columns.every((column) => column.name !== name));
  if (missing !== undefined) return `no column ${missing} in table ${table}`;
  const extra = columns.find(({ name, mustBeGiven }) => mustBeGiven && !names.includes(name));
  if (extra !== undefined) return `table ${table} demands a value for the unknown column ${extra.name}`;
  const key = columns.filter(({ keyPosition }) => keyPosition > 0).sort((a, b) => a.keyPosition - b.keyPosition);
  const wantedKey = wanted.filter((column) => column.startsWith('*')).map((column) => column.slice(1));
  if (key.map(({ name }) => name).join(' ') !== wantedKey.join(' ')) return `another primary key in table ${table}`;
  return undefined;
}
