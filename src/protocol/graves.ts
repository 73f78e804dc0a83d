import type { JsonValue } from '../collection/format/json.ts';
import { applyGraves, type Graves } from '../collection/graves.ts';
import type { ExactInteger } from '../storage/exact-rows.ts';
import { toExactInteger } from '../storage/exact-rows.ts';
import { inSync } from './handler.ts';
import { asInt64, asList, asObject } from './shape.ts';

/** `applyGraves`: deletions of the client, at most 250 a call from current ones. */
export const answerApplyGraves = inSync(
  (body) => readGraves(asObject(body, 'the message')['chunk'], asInt64),
  (work, graves) => {
    applyGraves(work, graves);
    return null;
  },
);

/** Graves inside `start`: old AnkiMobile writes the ids as texts. */
export function readLegacyGraves(value: JsonValue): Graves {
  return readGraves(value, readIdOrText);
}

/** The wire form of graves. */
export function gravesToJson(graves: Graves): JsonValue {
  return { cards: [...graves.cards], decks: [...graves.decks], notes: [...graves.notes] };
}

type IdReader = (value: JsonValue, what: string) => ExactInteger;

function readGraves(value: JsonValue | undefined, readId: IdReader): Graves {
  const chunk = asObject(value, 'chunk');
  const ids = (kind: keyof Graves) => asList(chunk[kind], kind).map((id) => readId(id, `an id in ${kind}`));
  return { cards: ids('cards'), decks: ids('decks'), notes: ids('notes') };
}

function readIdOrText(value: JsonValue, what: string): ExactInteger {
  if (typeof value === 'string' && /^[+-]?\d{1,19}$/.test(value)) return asInt64(toExactInteger(BigInt(value)), what);
  return asInt64(value, what);
}
