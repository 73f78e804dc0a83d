import { randomInt } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import type { Statements } from '../../storage/exact-rows.ts';
import { nativeToHuman, uniqueName } from '../text/names.ts';
import { foldName } from '../text/unicase.ts';
import { idColumn } from './column-values.ts';
import { type Deck, deckFromJson } from './deck.ts';
import { type DeckConfig, readDeckConfig } from './deck-config.ts';
import { FormatError } from './format-error.ts';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  memberOf,
  parseJson,
  parseJsonBytes,
  stringifyJson,
} from './json.ts';
import { type Notetype, readNotetype } from './notetype.ts';
import { asI32, asI64 } from './read-object.ts';

export interface UpgradeOptions {
  /** What objects get that the upgrade changes: a renamed deck, a card whose ease was repaired. */
  readonly usnForChanged: number;
  readonly nowSecs: number;
}

const INSERT_DECK_CONFIG = 'INSERT INTO deck_config (id, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?)';
const INSERT_CONFIG = 'INSERT INTO config (key, usn, mtime_secs, val) VALUES (?, 0, 0, ?)';
const INSERT_TAG = 'INSERT INTO tags (tag, usn, collapsed, config) VALUES (?, ?, 1, NULL)';
const INSERT_NOTETYPE = 'INSERT INTO notetypes (id, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?)';
const INSERT_FIELD = 'INSERT INTO fields (ntid, ord, name, config) VALUES (?, ?, ?, ?)';
const INSERT_TEMPLATE = 'INSERT INTO templates (ntid, ord, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?, ?)';
const INSERT_DECK = 'INSERT INTO decks (id, name, mtime_secs, usn, common, kind) VALUES (?, ?, ?, ?, ?, ?)';
const DECK_CONFIGS_AS_JSON = 'SELECT id, config FROM deck_config';
const SET_DECK_CONFIG = 'UPDATE deck_config SET config = ? WHERE id = ?';

const utf8 = new TextEncoder();

/** `col.dconf` → `deck_config`. The id outside an object counts, whatever stands inside. */
export function convertDeckConfigs(statements: Statements): void {
  for (const [id, json] of objectsById(statements, 'dconf'))
    insertDeckConfig(statements, { ...readDeckConfig(json), id });
}

/** `col.conf` → `config`. */
export function convertConfig(statements: Statements): void {
  for (const [key, value] of Object.entries(jsonColumn(statements, 'conf'))) {
    statements.run(INSERT_CONFIG, key, utf8.encode(stringifyJson(value, { sortKeys: true })));
  }
}

/** `col.tags` → `tags`, all collapsed. Of tags that differ in case only, the first one stays. */
export function convertTags(statements: Statements): void {
  const seen = new Set<string>();
  for (const [tag, usnJson] of Object.entries(jsonColumn(statements, 'tags'))) {
    const usn = asI32(usnJson);
    if (usn === undefined) throw new FormatError(`The usn of tag "${tag}" is not an integer`);
    if (seen.has(foldName(tag))) continue;
    seen.add(foldName(tag));
    statements.run(INSERT_TAG, tag, usn);
  }
}

/** `col.models` → `notetypes`, `fields`, `templates`; names are brought to NFC and made different. */
export function convertNotetypes(statements: Statements): void {
  const notetypes = new Map<bigint, Notetype>();
  for (const [key, json] of objectsById(statements, 'models')) {
    const notetype = readNotetype(json);
    if (key !== 0n && notetype.id === 0n) throw new FormatError(`The notetype under ${key} has the id 0`);
    const id = key === 0n ? unusedId(notetypes) : notetype.id;
    notetypes.set(id, { ...notetype, id });
  }
  const takeName = nameTaker('_');
  for (const notetype of notetypes.values()) {
    insertNotetype(statements, {
      ...notetype,
      name: takeName(notetype.name.normalize('NFC')),
      fields: withDifferentNames(notetype.fields),
      templates: withDifferentNames(notetype.templates),
    });
  }
}

/** `col.decks` → `decks`; names are cleaned and made different. */
export function convertDecks(statements: Statements, options: UpgradeOptions): void {
  const decks = new Map<bigint, Deck>();
  const asWritten = new Map<bigint, JsonValue | undefined>();
  for (const [, json] of objectsById(statements, 'decks')) {
    const deck = deckFromJson(json);
    decks.set(deck.id, deck);
    asWritten.set(deck.id, isJsonObject(json) ? memberOf(json, 'name') : undefined);
  }
  const takeName = nameTaker('_');
  for (const deck of decks.values()) {
    const name = takeName(deck.name);
    const isRenamed = nativeToHuman(name) !== asWritten.get(deck.id);
    const changes = isRenamed ? { mtimeSecs: options.nowSecs, usn: options.usnForChanged } : {};
    insertDeck(statements, { ...deck, name, ...changes });
  }
}

/** Schema 14 kept the JSON of a deck config where later ones keep protobuf. */
export function deckConfigsToBlobs(statements: Statements): void {
  for (const [id, text] of statements.all(DECK_CONFIGS_AS_JSON)) {
    const json = text instanceof Uint8Array ? parseJsonBytes(text) : parseJson(String(text));
    statements.run(SET_DECK_CONFIG, readDeckConfig(json).config, idColumn(id, 'id of a deck config'));
  }
}

/** Gives names away, each with as many suffixes as it takes to differ from those given before. */
function nameTaker(suffix: string): (name: string) => string {
  const taken = new Set<string>();
  return (name) => {
    const unique = uniqueName(name, suffix, (candidate) => taken.has(foldName(candidate)));
    taken.add(foldName(unique));
    return unique;
  };
}

function withDifferentNames<T extends { readonly name: string }>(items: readonly T[]): T[] {
  const takeName = nameTaker('+');
  return items.map((item) => ({ ...item, name: takeName(item.name.normalize('NFC')) }));
}

function unusedId(used: ReadonlyMap<bigint, unknown>): bigint {
  const id = BigInt(randomInt(1, 2 ** 32));
  return used.has(id) ? unusedId(used) : id;
}

/** The objects of a column by their outer ids, the smallest first: when names clash, the oldest object keeps its own. */
function objectsById(statements: Statements, column: 'models' | 'decks' | 'dconf'): [id: bigint, json: JsonValue][] {
  const entries = Object.entries(jsonColumn(statements, column)).map(([key, json]): [bigint, JsonValue] => {
    const id = /^(0|-?[1-9]\d{0,18})$/.test(key) ? asI64(BigInt(key)) : undefined;
    if (id === undefined) throw new FormatError(`The key "${key}" in "${column}" is not an id`);
    return [id, json];
  });
  return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function jsonColumn(statements: Statements, column: string): JsonObject {
  const text = statements.get(`SELECT ${column} FROM col`)?.[0];
  const value = typeof text === 'string' ? parseJson(text) : undefined;
  if (!isJsonObject(value)) throw new FormatError(`The column "${column}" does not hold a JSON object`);
  return value;
}

function insertDeckConfig(statements: Statements, row: DeckConfig): void {
  statements.run(INSERT_DECK_CONFIG, row.id, row.name, row.mtimeSecs, row.usn, row.config);
}

function insertNotetype(statements: Statements, row: Notetype): void {
  statements.run(INSERT_NOTETYPE, row.id, row.name, row.mtimeSecs, row.usn, row.config);
  for (const field of row.fields) statements.run(INSERT_FIELD, row.id, field.ord, field.name, field.config);
  for (const { ord, name, mtimeSecs, usn, config } of row.templates) {
    const values: SQLInputValue[] = [row.id, ord, name, mtimeSecs, usn, config];
    statements.run(INSERT_TEMPLATE, ...values);
  }
}

function insertDeck(statements: Statements, row: Deck): void {
  statements.run(INSERT_DECK, row.id, row.name, row.mtimeSecs, row.usn, row.common, row.kind);
}
