import type { ExactInteger, SqlRow } from '../storage/exact-rows.ts';
import { type DeckConfig, deckConfigFromJson, deckConfigToJson } from './format/deck-config.ts';
import type { JsonObject, JsonValue } from './format/json.ts';
import { isNewsFor, replacesStoredObject } from './merge.ts';
import type { SyncWork } from './sync-work.ts';

const COLUMNS = 'id, name, mtime_secs, usn, config';

/** Deck configs that the client has not seen, as schema 11 JSON. */
export function deckConfigsSince(work: SyncWork, clientUsn: number): JsonObject[] {
  return work.sql
    .all(`SELECT ${COLUMNS} FROM deck_config NOT INDEXED ORDER BY id`)
    .filter((row) => isNewsFor(clientUsn, Number(row[3])))
    .map((row) => deckConfigToJson(toDeckConfig(row)));
}

/** Stores a deck config from a client, if it wins over the one that is here. Names may be equal. */
export function mergeDeckConfig(work: SyncWork, json: JsonValue): void {
  const { id, mtimeSecs } = deckConfigFromJson(json);
  const row = work.sql.get(`SELECT ${COLUMNS} FROM deck_config WHERE id = ?`, id);
  const stored = row === undefined ? undefined : toDeckConfig(row);
  if (!replacesStoredObject(stored, mtimeSecs)) return;
  const { name, usn, config } = deckConfigFromJson(json, stored);
  // No index lies over these names, so they may be written in any form of the file.
  work.sql.run(
    `INSERT OR REPLACE INTO deck_config (${COLUMNS}) VALUES (?, ?, ?, ?, ?)`,
    id,
    name,
    mtimeSecs,
    usn,
    config,
  );
  work.tally.sent.presets += 1;
}

function toDeckConfig([id, name, mtimeSecs, usn, config]: SqlRow): DeckConfig {
  return {
    id: BigInt(id as ExactInteger),
    name: String(name),
    mtimeSecs: Number(mtimeSecs),
    usn: Number(usn),
    config: config as Uint8Array,
  };
}
