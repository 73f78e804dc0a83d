import type { SqlRow, Statements } from '../../storage/exact-rows.ts';
import { blobColumn, idColumn, ordColumn, secsColumn, textColumn, usnColumn } from './column-values.ts';
import type { Deck } from './deck.ts';
import type { DeckConfig } from './deck-config.ts';
import type { Notetype, NotetypeField, NotetypeTemplate } from './notetype.ts';

// Full scans without ORDER BY: they are right even while the name b-trees are sorted in another way than declared.
const NOTETYPES = 'SELECT id, name, mtime_secs, usn, config FROM notetypes';
const FIELDS = 'SELECT ntid, ord, name, config FROM fields';
const TEMPLATES = 'SELECT ntid, ord, name, mtime_secs, usn, config FROM templates';
const DECKS = 'SELECT id, name, mtime_secs, usn, common, kind FROM decks';
const DECK_CONFIGS = 'SELECT id, name, mtime_secs, usn, config FROM deck_config';

/** All notetypes of a schema 18 file by id, fields and templates by position. Throws `FormatError` on wrong types. */
export function readNotetypes(statements: Statements): Notetype[] {
  const fields = groupByNotetype(statements.all(FIELDS), fieldOf);
  const templates = groupByNotetype(statements.all(TEMPLATES), templateOf);
  const notetypes = statements.all(NOTETYPES).map((row) => {
    const id = idColumn(row[0], 'id of a notetype');
    return {
      id,
      name: textColumn(row[1], `name of notetype ${id}`),
      mtimeSecs: secsColumn(row[2], `mtime of notetype ${id}`),
      usn: usnColumn(row[3], `usn of notetype ${id}`),
      config: blobColumn(row[4], `config of notetype ${id}`),
      fields: fields.get(id) ?? [],
      templates: templates.get(id) ?? [],
    };
  });
  return notetypes.sort(byId);
}

/** All decks of a schema 18 file by id. Throws `FormatError` on wrong types. */
export function readDecks(statements: Statements): Deck[] {
  const decks = statements.all(DECKS).map((row) => {
    const id = idColumn(row[0], 'id of a deck');
    return {
      id,
      name: textColumn(row[1], `name of deck ${id}`),
      mtimeSecs: secsColumn(row[2], `mtime of deck ${id}`),
      usn: usnColumn(row[3], `usn of deck ${id}`),
      common: blobColumn(row[4], `common part of deck ${id}`),
      kind: blobColumn(row[5], `kind of deck ${id}`),
    };
  });
  return decks.sort(byId);
}

/** All deck configs of a schema 18 file by id. Throws `FormatError` on wrong types. */
export function readDeckConfigs(statements: Statements): DeckConfig[] {
  const deckConfigs = statements.all(DECK_CONFIGS).map((row) => {
    const id = idColumn(row[0], 'id of a deck config');
    return {
      id,
      name: textColumn(row[1], `name of deck config ${id}`),
      mtimeSecs: secsColumn(row[2], `mtime of deck config ${id}`),
      usn: usnColumn(row[3], `usn of deck config ${id}`),
      config: blobColumn(row[4], `config of deck config ${id}`),
    };
  });
  return deckConfigs.sort(byId);
}

function fieldOf(row: SqlRow): NotetypeField {
  return {
    ord: ordColumn(row[1], 'ord of a field'),
    name: textColumn(row[2], 'name of a field'),
    config: blobColumn(row[3], 'config of a field'),
  };
}

function templateOf(row: SqlRow): NotetypeTemplate {
  return {
    ord: ordColumn(row[1], 'ord of a template'),
    name: textColumn(row[2], 'name of a template'),
    mtimeSecs: secsColumn(row[3], 'mtime of a template'),
    usn: usnColumn(row[4], 'usn of a template'),
    config: blobColumn(row[5], 'config of a template'),
  };
}

function groupByNotetype<T extends { readonly ord: number }>(
  rows: readonly SqlRow[],
  read: (row: SqlRow) => T,
): Map<bigint, T[]> {
  const groups = Map.groupBy(rows, (row) => idColumn(row[0], 'notetype of a field or template'));
  return new Map([...groups].map(([id, group]) => [id, group.map(read).sort((a, b) => a.ord - b.ord)]));
}

function byId(a: { readonly id: bigint }, b: { readonly id: bigint }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
