import { readCreationSecs, writeCreationSecs } from '../collection/col-row.ts';
import { readConfig, replaceConfig } from '../collection/config-store.ts';
import { deckConfigsSince, mergeDeckConfig } from '../collection/deck-config-store.ts';
import { decksSince, mergeDeck } from '../collection/deck-store.ts';
import type { JsonObject, JsonValue } from '../collection/format/json.ts';
import { mergeNotetype, notetypesSince } from '../collection/notetype-store.ts';
import { countObjectsIn } from '../collection/sync-ended.ts';
import type { SyncWork } from '../collection/sync-work.ts';
import { registerTag, tagsSince } from '../collection/tag-store.ts';
import type { ExactInteger } from '../storage/exact-rows.ts';
import { inSync } from './handler.ts';
import { asInt64, asInteger, asList, asObject, asText } from './shape.ts';

/** The small objects that one side has changed, in the form of schema 11. */
interface Changes {
  readonly notetypes: readonly JsonValue[];
  readonly decks: readonly JsonValue[];
  readonly deckConfigs: readonly JsonValue[];
  readonly tags: readonly string[];
  /** The whole config, from the side whose collection changed last. */
  readonly config: JsonObject | undefined;
  readonly creationSecs: ExactInteger | undefined;
}

/** `applyChanges`: swaps notetypes, decks, deck configs, tags and config. The answer tells what was here before the merge. */
export const answerApplyChanges = inSync(readChanges, (work, changes) => {
  const answer = changesSince(work);
  for (const notetype of changes.notetypes) mergeNotetype(work, notetype);
  for (const deck of changes.decks) mergeDeck(work, deck);
  for (const config of changes.deckConfigs) mergeDeckConfig(work, config);
  for (const tag of changes.tags) registerTag(work, tag);
  if (changes.creationSecs !== undefined) writeCreationSecs(work, changes.creationSecs);
  if (changes.config !== undefined) replaceConfig(work, changes.config);
  return answer;
});

function readChanges(body: JsonValue): Changes {
  const changes = asObject(asObject(body, 'the message')['changes'], 'changes');
  const decks = asList(changes['decks'], 'decks');
  asInteger(decks.length, 'the number of lists in decks', 2, 2);
  const { conf, crt } = changes;
  return {
    notetypes: asList(changes['models'], 'models'),
    decks: asList(decks[0], 'the decks'),
    deckConfigs: asList(decks[1], 'the deck configs'),
    tags: asList(changes['tags'], 'tags').map((tag) => asText(tag, 'a tag')),
    config: conf === undefined || conf === null ? undefined : asObject(conf, 'conf'),
    creationSecs: crt === undefined || crt === null ? undefined : asInt64(crt, 'crt'),
  };
}

function changesSince(work: SyncWork): JsonObject {
  const { clientUsn, clientIsNewer } = work.session;
  if (work.knownSmalls !== undefined && work.knownSmalls.newestUsn < clientUsn) {
    const nothing: JsonObject = { models: [], decks: [[], []], tags: [] };
    return clientIsNewer ? nothing : { ...nothing, conf: readConfig(work), crt: readCreationSecs(work) };
  }
  const notetypes = notetypesSince(work, clientUsn);
  const decks = decksSince(work, clientUsn);
  const presets = deckConfigsSince(work, clientUsn);
  const tags = tagsSince(work, clientUsn);
  countObjectsIn(work.tally.got, {
    notetypes: notetypes.length,
    decks: decks.length,
    presets: presets.length,
    tags: tags.length,
  });
  const answer: JsonObject = { models: notetypes, decks: [decks, presets], tags };
  if (clientIsNewer) return answer;
  return { ...answer, conf: readConfig(work), crt: readCreationSecs(work) };
}
