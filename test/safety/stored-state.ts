import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withUnicaseDatabase } from '../../src/collection/wasm/unicase-database.ts';

/** Everything in a collection, in a form that can be compared. */
export interface StoredState {
  /** What SQLite's whole integrity check says, with Anki's collation in force: `ok`. */
  readonly integrity: string;
  /** Of the row of `col`: what clients compare. */
  readonly mod: number;
  readonly scm: number;
  readonly usn: number;
  /** Rows by table, each as text, sorted; without `mod`, `usn` and `ls` of `col`, which every full download changes. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
  /** Numbers that a client tells in its sanity check: cards, notes, reviews, notetypes, decks, deck configs. */
  readonly counts: Counts;
  /** A notetype for new notes, and how many fields it has. */
  readonly notetype: { readonly id: number; readonly fields: number };
}

export interface Counts {
  cards: number;
  notes: number;
  revlog: number;
  notetypes: number;
  decks: number;
  deckConfigs: number;
}

/** Reads the bytes of a collection file that stands alone. */
export async function stateOfBytes(bytes: Uint8Array): Promise<StoredState> {
  return inTemporaryFolder((folder) => {
    const file = path.join(folder, 'collection.anki2');
    writeFileSync(file, bytes);
    return stateOfFile(file);
  });
}

/** Reads a user's collection with what lies beside it, without touching either; undefined when there is none. */
export async function stateOfFolder(userFolder: string): Promise<StoredState | undefined> {
  const file = path.join(userFolder, 'collection.anki2');
  if (!existsSync(file)) return undefined;
  return inTemporaryFolder((folder) => {
    const copy = path.join(folder, 'collection.anki2');
    for (const suffix of ['', '-wal', '-journal']) {
      if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
    }
    return stateOfFile(copy);
  });
}

async function inTemporaryFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(path.join(tmpdir(), 'stored-state-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const UNSTABLE_COLUMNS = new Set(['col.mod', 'col.usn', 'col.ls']);

/** Reads a collection file that nobody has open. What lies beside it is taken in. */
export function stateOfFile(file: string): Promise<StoredState> {
  return withUnicaseDatabase(file, (db) => {
    const tables: Record<string, readonly string[]> = {};
    const names = db.selectValues("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    for (const table of names.map(String)) {
      const columns = db.selectValues('SELECT name FROM pragma_table_info(?)', [table]).map(String);
      const kept = columns.filter((column) => !UNSTABLE_COLUMNS.has(`${table}.${column}`.toLowerCase()));
      const list = kept.map((column) => `quote(${quoted(column)})`).join(', ');
      tables[table] = db
        .selectArrays(`SELECT ${list} FROM ${quoted(table)}`)
        .map((row) => row.join(' '))
        .sort();
    }
    const [mod, scm, usn] = db.selectArray('SELECT mod, scm, usn FROM col') ?? [];
    const notetype = db.selectArray('SELECT ntid, count(*) FROM fields GROUP BY ntid ORDER BY count(*) LIMIT 1') ?? [];
    const count = (table: string) => tables[table]?.length ?? 0;
    return {
      integrity: db.selectValues('PRAGMA integrity_check').map(String).join('\n'),
      mod: Number(mod),
      scm: Number(scm),
      usn: Number(usn),
      tables,
      counts: {
        cards: count('cards'),
        notes: count('notes'),
        revlog: count('revlog'),
        notetypes: count('notetypes'),
        decks: count('decks'),
        deckConfigs: count('deck_config'),
      },
      notetype: { id: Number(notetype[0]), fields: Number(notetype[1]) },
    };
  });
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
