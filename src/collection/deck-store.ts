import type { ExactInteger, SqlRow } from '../storage/exact-rows.ts';
import { type Deck, deckFromJson, deckToJson } from './format/deck.ts';
import type { JsonObject, JsonValue } from './format/json.ts';
import { isNewsFor, replacesStoredObject } from './merge.ts';
import type { SyncWork } from './sync-work.ts';
import { uniqueName } from './text/names.ts';

const COLUMNS = 'id, name, mtime_secs, usn, common, kind';

/** Decks that the client has not seen, as schema 11 JSON. */
export function decksSince(work: SyncWork, clientUsn: number): JsonObject[] {
  return work.sql
    .all(`SELECT ${COLUMNS} FROM decks NOT INDEXED ORDER BY id`)
    .filter((row) => isNewsFor(clientUsn, Number(row[3])))
    .map((row) => deckToJson(toDeck(row)));
}

/** Stores a deck from a client, if it wins over the one that is here. Parents and children are not looked at. */
export function mergeDeck(work: SyncWork, json: JsonValue): void {
  const { id, mtimeSecs } = deckFromJson(json);
  const row = work.sql.get(`SELECT ${COLUMNS} FROM decks WHERE id = ?`, id);
  const stored = row === undefined ? undefined : toDeck(row);
  if (!replacesStoredObject(stored, mtimeSecs)) return;
  const incoming = deckFromJson(json, stored);
  const name = uniqueName(incoming.name, '+', (candidate) => {
    const owner = work.deckNames.ownerOf(candidate);
    return owner !== undefined && owner !== String(id);
  });
  const deck =
    name === incoming.name ? incoming : { ...incoming, name, mtimeSecs: work.nowSecs, usn: work.session.serverUsn };
  if (stored?.name === name) updateInPlace(work, deck);
  else rewrite(work, deck);
  work.tally.sent.decks += 1;
}

function updateInPlace(work: SyncWork, deck: Deck): void {
  work.sql.run(
    'UPDATE decks SET mtime_secs = ?, usn = ?, common = ?, kind = ? WHERE id = ?',
    deck.mtimeSecs,
    deck.usn,
    deck.common,
    deck.kind,
    deck.id,
  );
}

function rewrite(work: SyncWork, deck: Deck): void {
  work.changeNames();
  work.sql.run(
    `INSERT OR REPLACE INTO decks (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`,
    deck.id,
    deck.name,
    deck.mtimeSecs,
    deck.usn,
    deck.common,
    deck.kind,
  );
  work.deckNames.set(String(deck.id), deck.name);
}

function toDeck([id, name, mtimeSecs, usn, common, kind]: SqlRow): Deck {
  return {
    id: BigInt(id as ExactInteger),
    name: String(name),
    mtimeSecs: Number(mtimeSecs),
    usn: Number(usn),
    common: common as Uint8Array,
    kind: kind as Uint8Array,
  };
}
