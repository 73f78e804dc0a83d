import { create } from '@bufbuild/protobuf';
import { decodeBlob, encodeBlob, keepUnknownFields } from './blobs.ts';
import { dropMinusZeros, replaceForbiddenNumbers } from './deck-config-limits.ts';
import {
  lapseKeys,
  newKeys,
  readLapsePart,
  readNewPart,
  readRevPart,
  reversedOrder,
  revKeys,
} from './deck-config-parts.ts';
import { FormatError } from './format-error.ts';
import { isJsonObject, JsonFloat, type JsonObject, type JsonValue, jsonInteger, memberOf } from './json.ts';
import { keySet, readOther, withoutKeys, writeOther } from './other-keys.ts';
import { type DeckConfigConfig, DeckConfigConfigSchema } from './proto/collection_pb.ts';
import {
  asBool,
  asF32,
  asI32,
  asI64OrText,
  asSecsOrText,
  asText,
  asU8,
  asU32,
  integer,
  listOf,
  ObjectReader,
} from './read-object.ts';

/** A row of `deck_config`: options that decks share. */
export interface DeckConfig {
  readonly id: bigint;
  readonly name: string;
  readonly mtimeSecs: number;
  readonly usn: number;
  /** Protobuf, `DeckConfigConfig`. */
  readonly config: Uint8Array;
}

const knownKeys = keySet(
  'id mod name usn maxTaken autoplay timer replayq new rev lapse dyn newMix newPerDayMinimum interdayLearningMix ' +
    'reviewOrder newSortOrder newGatherPriority buryInterdayLearning fsrsWeights fsrsParams5 fsrsParams6 ' +
    'desiredRetention ignoreRevlogsBeforeDate easyDaysPercentages stopTimerOnAnswer secondsToShowQuestion ' +
    'secondsToShowAnswer questionAction answerAction waitForAudio sm2Retention weightSearch',
);
const noKeys: ReadonlySet<string> = new Set();
const u16Max = 2 ** 16 - 1;
const answerActionMax = 4;

/**
 * The JSON form of schema 11, as messages and old files carry it; numbers that Anki does not allow come out as its
 * defaults. Throws `FormatError` if the blob cannot be read.
 */
export function deckConfigToJson(deckConfig: DeckConfig): JsonObject {
  const config = decodeBlob(DeckConfigConfigSchema, deckConfig.config, `deck config ${deckConfig.id}`);
  replaceForbiddenNumbers(config);
  const other = readOther(config.other, noKeys);
  return {
    id: jsonInteger(deckConfig.id),
    mod: deckConfig.mtimeSecs,
    name: deckConfig.name,
    usn: deckConfig.usn,
    maxTaken: config.capAnswerTimeToSecs,
    autoplay: !config.disableAutoplay,
    timer: config.showTimer ? 1 : 0,
    replayq: !config.skipQuestionWhenReplayingAnswer,
    new: { ...newToJson(config), ...otherOfPart(other, 'new', newKeys) },
    rev: { ...revToJson(config), ...otherOfPart(other, 'rev', revKeys) },
    lapse: { ...lapseToJson(config), ...otherOfPart(other, 'lapse', lapseKeys) },
    dyn: false,
    ...orderToJson(config),
    ...memoryToJson(config),
    ...withoutKeys(other, knownKeys),
  };
}

/**
 * A deck config from its JSON form. `replaced` is the stored one, if any: what only a newer release of Anki knows about
 * it stays. Throws `FormatError` for what clients could not parse, and for the id 0.
 */
export function deckConfigFromJson(json: JsonValue, replaced?: DeckConfig): DeckConfig {
  const deckConfig = readDeckConfig(json, replaced);
  if (deckConfig.id === 0n) throw new FormatError('The deck config has the id 0');
  return deckConfig;
}

/** The same without a look at the id: in files it stands outside. */
export function readDeckConfig(json: JsonValue, replaced?: DeckConfig): DeckConfig {
  const read = new ObjectReader(json, 'deck config');
  const parts = {
    new: readNewPart(read.required('new', asAnything)),
    rev: readRevPart(read.required('rev', asAnything)),
    lapse: readLapsePart(read.required('lapse', asAnything)),
  };
  const partsOther = Object.entries(parts)
    .filter(([, part]) => Object.keys(part.other).length > 0)
    .map(([name, part]) => [name, part.other]);
  const config = create(DeckConfigConfigSchema, {
    ...parts.new.fields,
    ...parts.rev.fields,
    ...parts.lapse.fields,
    ...readAnswering(read),
    ...readOrder(read),
    ...readMemory(read),
    other: writeOther({ ...withoutKeys(read.object, knownKeys), ...Object.fromEntries(partsOther) }),
  });
  const id = read.required('id', asI64OrText);
  if (replaced !== undefined) {
    keepUnknownFields(config, decodeBlob(DeckConfigConfigSchema, replaced.config, `stored deck config ${id}`));
  }
  return {
    id,
    name: read.required('name', asText),
    mtimeSecs: read.required('mod', asSecsOrText),
    usn: read.required('usn', asI32),
    config: encodeDeckConfig(config),
  };
}

/** The blob of a deck config, as Anki writes it. */
export function encodeDeckConfig(config: DeckConfigConfig): Uint8Array<ArrayBuffer> {
  dropMinusZeros(config);
  return encodeBlob(DeckConfigConfigSchema, config);
}

function newToJson(config: DeckConfigConfig): JsonObject {
  return {
    bury: config.buryNew,
    delays: floatsToJson(config.learnSteps),
    initialFactor: Math.min(Math.trunc(Math.fround(config.initialEase * 1000)), u16Max),
    ints: [config.graduatingIntervalGood, config.graduatingIntervalEasy, 0],
    order: reversedOrder(config.newCardInsertOrder === 1 ? 1 : 0),
    perDay: config.newPerDay,
  };
}

function revToJson(config: DeckConfigConfig): JsonObject {
  return {
    bury: config.buryReviews,
    ease4: floatToJson(config.easyMultiplier),
    ivlFct: floatToJson(config.intervalMultiplier),
    maxIvl: config.maximumReviewInterval,
    perDay: config.reviewsPerDay,
    hardFactor: floatToJson(config.hardMultiplier),
  };
}

function lapseToJson(config: DeckConfigConfig): JsonObject {
  return {
    delays: floatsToJson(config.relearnSteps),
    leechAction: config.leechAction === 1 ? 1 : 0,
    leechFails: config.leechThreshold,
    minInt: config.minimumLapseInterval,
    mult: floatToJson(config.lapseMultiplier),
  };
}

function orderToJson(config: DeckConfigConfig): JsonObject {
  return {
    newMix: config.newMix,
    newPerDayMinimum: config.newPerDayMinimum,
    interdayLearningMix: config.interdayLearningMix,
    reviewOrder: config.reviewOrder,
    newSortOrder: config.newCardSortOrder,
    newGatherPriority: config.newCardGatherPriority,
    buryInterdayLearning: config.buryInterdayLearning,
  };
}

function memoryToJson(config: DeckConfigConfig): JsonObject {
  const { answerAction } = config;
  return {
    fsrsWeights: floatsToJson(config.fsrsParams4),
    fsrsParams5: floatsToJson(config.fsrsParams5),
    fsrsParams6: floatsToJson(config.fsrsParams6),
    desiredRetention: floatToJson(config.desiredRetention),
    ignoreRevlogsBeforeDate: config.ignoreRevlogsBeforeDate,
    easyDaysPercentages: floatsToJson(config.easyDaysPercentages),
    stopTimerOnAnswer: config.stopTimerOnAnswer,
    secondsToShowQuestion: floatToJson(config.secondsToShowQuestion),
    secondsToShowAnswer: floatToJson(config.secondsToShowAnswer),
    questionAction: config.questionAction === 1 ? 1 : 0,
    answerAction: answerAction >= 1 && answerAction <= answerActionMax ? answerAction : 0,
    waitForAudio: config.waitForAudio,
    sm2Retention: floatToJson(config.historicalRetention),
    weightSearch: config.paramSearch,
  };
}

function readAnswering(read: ObjectReader) {
  read.lenient('dyn', asBool, false); // Nothing depends on it.
  return {
    capAnswerTimeToSecs: Math.max(0, read.required('maxTaken', asI32)),
    disableAutoplay: !read.required('autoplay', asBool),
    showTimer: read.requiredLenient('timer', asU8, 0) !== 0,
    skipQuestionWhenReplayingAnswer: !read.optional('replayq', asBool, false),
    stopTimerOnAnswer: read.optional('stopTimerOnAnswer', asBool, false),
    secondsToShowQuestion: read.optional('secondsToShowQuestion', asF32, 0),
    secondsToShowAnswer: read.optional('secondsToShowAnswer', asF32, 0),
    questionAction: read.optional('questionAction', integer(0, 1), 0),
    answerAction: read.optional('answerAction', integer(0, answerActionMax), 0),
    waitForAudio: read.optional('waitForAudio', asBool, true),
  };
}

function readOrder(read: ObjectReader) {
  return {
    newMix: read.optional('newMix', asI32, 0),
    newPerDayMinimum: read.optional('newPerDayMinimum', asU32, 0),
    interdayLearningMix: read.optional('interdayLearningMix', asI32, 0),
    reviewOrder: read.optional('reviewOrder', asI32, 0),
    newCardSortOrder: read.optional('newSortOrder', asI32, 0),
    newCardGatherPriority: read.optional('newGatherPriority', asI32, 0),
    buryInterdayLearning: read.optional('buryInterdayLearning', asBool, false),
  };
}

function readMemory(read: ObjectReader) {
  const floats = listOf(asF32);
  return {
    fsrsParams4: read.optional('fsrsWeights', floats, []),
    fsrsParams5: read.optional('fsrsParams5', floats, []),
    fsrsParams6: read.optional('fsrsParams6', floats, []),
    desiredRetention: read.optional('desiredRetention', asF32, 0),
    historicalRetention: read.optional('sm2Retention', asF32, 0),
    ignoreRevlogsBeforeDate: read.optional('ignoreRevlogsBeforeDate', asText, ''),
    easyDaysPercentages: read.optional('easyDaysPercentages', floats, []),
    paramSearch: read.optional('weightSearch', asText, ''),
  };
}

function otherOfPart(other: JsonObject, part: string, keys: ReadonlySet<string>): JsonObject {
  const value = memberOf(other, part);
  return isJsonObject(value) ? withoutKeys(value, keys) : {};
}

/** JSON has no NaN and no infinity, and clients refuse an object with null instead. */
function floatToJson(value: number): JsonFloat {
  return new JsonFloat(Number.isFinite(value) ? value : 0, 'single');
}

function floatsToJson(values: readonly number[]): JsonValue {
  return values.every(Number.isFinite) ? values.map(floatToJson) : [];
}

function asAnything(value: JsonValue): JsonValue {
  return value;
}
