import type { Statements } from '../../storage/exact-rows.ts';
import { decodeBlob } from './blobs.ts';
import { configIdOfDeck } from './deck.ts';
import { encodeDeckConfig } from './deck-config.ts';
import { stringifyJson } from './json.ts';
import { DeckConfigConfigSchema } from './proto/collection_pb.ts';
import { readDeckConfigs, readDecks } from './stored-objects.ts';

const lowestEase = Math.fround(1.3);
const easeOfNewConfigs = 2.5;
/** Permille. */
const repairedFactorMax = 2000;
const repairedFactor = 2500;

const SET_CONFIG = 'UPDATE deck_config SET config = ? WHERE id = ?';

const REPAIR_CARDS = `
  UPDATE cards SET factor = ${repairedFactor}, usn = ?1
  WHERE factor != 0 AND factor <= ${repairedFactorMax}
    AND (did IN (SELECT value FROM json_each(?2)) OR odid IN (SELECT value FROM json_each(?2)))
`;

/**
 * The step to schema 16: a bug of 2020 had left configs with starting eases of 1.3 and below. They start at 2.5 again,
 * and the cards of their decks with an ease up to 2.0 go back there, with `usn` and without a new time.
 *
 * Schema 15 kept the ease as percent, and a config that comes from JSON passes through that too, as in Anki: the two
 * operations in single precision can cost the last digit.
 */
export function raiseLowEases(statements: Statements, options: { isPercent: boolean; usn: number }): void {
  const repairedConfigs = new Set<bigint>();
  for (const row of readDeckConfigs(statements)) {
    const config = decodeBlob(DeckConfigConfigSchema, row.config, `deck config ${row.id}`);
    const percent = options.isPercent ? config.initialEase : Math.fround(config.initialEase * 100);
    config.initialEase = Math.fround(percent / 100);
    if (config.initialEase <= lowestEase) {
      config.initialEase = easeOfNewConfigs;
      repairedConfigs.add(row.id);
    }
    statements.run(SET_CONFIG, encodeDeckConfig(config), row.id);
  }
  if (repairedConfigs.size === 0) return;
  const decks = readDecks(statements).filter((deck) => {
    const configId = configIdOfDeck(deck);
    return configId !== undefined && repairedConfigs.has(configId);
  });
  statements.run(REPAIR_CARDS, options.usn, stringifyJson(decks.map((deck) => deck.id)));
}
