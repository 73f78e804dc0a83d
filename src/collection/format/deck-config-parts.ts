import { FormatError } from './format-error.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { keySet, withoutKeys } from './other-keys.ts';
import type { DeckConfigConfig } from './proto/collection_pb.ts';
import { asBool, asF32, asU16, asU32, type Check, integer, listOf, ObjectReader } from './read-object.ts';

/** One of the three inner objects of a deck config in JSON: what it says in terms of the message, and unknown keys. */
export interface ConfigPart {
  readonly fields: Partial<Omit<DeckConfigConfig, '$typeName' | '$unknown'>>;
  readonly other: JsonObject;
}

export const newKeys = keySet('bury delays initialFactor ints order perDay');
export const revKeys = keySet('bury ease4 ivlFct maxIvl perDay hardFactor');
export const lapseKeys = keySet('delays leechAction leechFails minInt mult');

/** `new`: cards seen for the first time. Any error inside makes the whole object count as Anki's defaults. */
export function readNewPart(value: JsonValue): ConfigPart {
  return readPart(value, { keys: newKeys, read: newFields, defaults: newDefaults });
}

/** `rev`: reviews. The same rule. */
export function readRevPart(value: JsonValue): ConfigPart {
  return readPart(value, { keys: revKeys, read: revFields, defaults: revDefaults });
}

/** `lapse`: forgotten cards. The same rule. */
export function readLapsePart(value: JsonValue): ConfigPart {
  return readPart(value, { keys: lapseKeys, read: lapseFields, defaults: lapseDefaults });
}

/** `new.order` and `new_card_insert_order` count 0 and 1 in opposite directions. */
export function reversedOrder(order: number): number {
  return order === 0 ? 1 : 0;
}

const newDefaults: JsonObject = {
  bury: false,
  delays: [1, 10],
  initialFactor: 2500,
  ints: [1, 4, 0],
  order: 1,
  perDay: 20,
};
const revDefaults: JsonObject = { bury: false, ease4: 1.3, ivlFct: 1, maxIvl: 36500, perDay: 200, hardFactor: 1.2 };
const lapseDefaults: JsonObject = { delays: [10], leechAction: 1, leechFails: 8, minInt: 1, mult: 0 };

interface PartRules {
  readonly keys: ReadonlySet<string>;
  readonly read: (part: ObjectReader) => ConfigPart['fields'];
  readonly defaults: JsonObject;
}

function readPart(value: JsonValue, rules: PartRules): ConfigPart {
  try {
    const part = new ObjectReader(value, 'part of the deck config');
    return { fields: rules.read(part), other: withoutKeys(part.object, rules.keys) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { fields: rules.read(new ObjectReader(rules.defaults, 'defaults')), other: {} };
  }
}

function newFields(part: ObjectReader): ConfigPart['fields'] {
  const [good, easy] = part.requiredLenient('ints', asIntervals, [1, 4]);
  return {
    buryNew: part.optional('bury', asBool, false),
    learnSteps: part.requiredLenient('delays', listOf(asF32), []),
    initialEase: Math.fround(part.required('initialFactor', asU16) / 1000),
    graduatingIntervalGood: good,
    graduatingIntervalEasy: easy,
    newCardInsertOrder: reversedOrder(part.requiredLenient('order', integer(0, 1), 1)),
    newPerDay: part.requiredLenient('perDay', asU32, 0),
  };
}

function revFields(part: ObjectReader): ConfigPart['fields'] {
  return {
    buryReviews: part.optional('bury', asBool, false),
    easyMultiplier: part.required('ease4', asF32),
    intervalMultiplier: part.required('ivlFct', asF32),
    maximumReviewInterval: part.required('maxIvl', asU32),
    reviewsPerDay: part.requiredLenient('perDay', asU32, 0),
    hardMultiplier: part.optional('hardFactor', asF32, Math.fround(1.2)),
  };
}

function lapseFields(part: ObjectReader): ConfigPart['fields'] {
  return {
    relearnSteps: part.requiredLenient('delays', listOf(asF32), []),
    leechAction: part.requiredLenient('leechAction', integer(0, 1), 1),
    leechThreshold: part.required('leechFails', asU32),
    minimumLapseInterval: part.required('minInt', asU32),
    lapseMultiplier: part.required('mult', asF32),
  };
}

/** Days after "good" and "easy"; a third number is from old times. */
const asIntervals: Check<readonly [good: number, easy: number]> = (value) => {
  const [good, easy] = listOf(asU16)(value) ?? [];
  return good === undefined || easy === undefined ? undefined : [good, easy];
};
