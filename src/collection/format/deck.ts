import { create } from '@bufbuild/protobuf';
import { nativeToHuman, normalizeDeckName } from '../text/names.ts';
import { decodeBlob, encodeBlob, keepUnknownFields } from './blobs.ts';
import { FormatError } from './format-error.ts';
import { isJsonObject, JsonFloat, type JsonObject, type JsonValue, jsonInteger } from './json.ts';
import { keySet, readOther, withoutKeys, writeOther } from './other-keys.ts';
import {
  type DayLimit,
  DayLimitSchema,
  DeckCommonSchema,
  type DeckKind,
  DeckKindSchema,
  type FilteredDeck,
  FilteredDeckSchema,
  type NormalDeck,
  NormalDeckSchema,
  type SearchTerm,
  SearchTermSchema,
} from './proto/collection_pb.ts';
import {
  asBool,
  asBoolFromAnything,
  asF32,
  asI32,
  asI32OrText,
  asI64OrText,
  asSecsOrText,
  asText,
  asU8,
  asU32,
  listOf,
  ObjectReader,
  orNull,
} from './read-object.ts';

/** A row of `decks`. */
export interface Deck {
  readonly id: bigint;
  /** Levels separated by U+001F. */
  readonly name: string;
  readonly mtimeSecs: number;
  readonly usn: number;
  /** Protobuf, `DeckCommon`. */
  readonly common: Uint8Array;
  /** Protobuf, `DeckKind`. */
  readonly kind: Uint8Array;
}

const commonKeyList = 'id mod name usn lrnToday revToday newToday timeToday collapsed browserCollapsed desc md dyn';
const normalKeyList = 'conf extendNew extendRev reviewLimit newLimit reviewLimitToday newLimitToday desiredRetention';
const filteredKeyList = 'resched terms separate delays previewDelay previewAgainSecs previewHardSecs previewGoodSecs';

/** `return` is an obsolete key that Anki forgets on reading. */
const normalKeys = keySet(`${commonKeyList} return ${normalKeyList}`);
const filteredKeys = keySet(`${commonKeyList} return ${filteredKeyList}`);
/** Anki drops the keys of normal decks even from filtered ones, and not the other way round. */
const keysOutsideOther = keySet(`${commonKeyList} ${normalKeyList}`);

const u32Max = 2 ** 32 - 1;

/** The JSON form of schema 11, as messages and old files carry it. Throws `FormatError` if a blob cannot be read. */
export function deckToJson(deck: Deck): JsonObject {
  const common = decodeBlob(DeckCommonSchema, deck.common, `deck ${deck.id}`);
  const { kind } = readKind(deck);
  const normal = kind.case === 'normal' ? kind.value : undefined;
  const day = common.lastDayStudied | 0;
  return {
    id: jsonInteger(deck.id),
    mod: deck.mtimeSecs,
    name: nativeToHuman(deck.name),
    usn: deck.usn,
    lrnToday: [day, common.learningStudied],
    revToday: [day, common.reviewStudied],
    newToday: [day, common.newStudied],
    timeToday: [day, common.millisecondsStudied],
    collapsed: common.studyCollapsed,
    browserCollapsed: common.browserCollapsed,
    desc: normal?.description ?? '',
    ...(normal?.markdownDescription === true ? { md: true } : {}),
    dyn: kind.case === 'filtered' ? 1 : 0,
    ...readOther(common.other, keysOutsideOther),
    ...(kind.case === 'filtered' ? filteredToJson(kind.value) : normalToJson(kind.value)),
  };
}

/**
 * A deck from its JSON form, its name cleaned and in native form; uniqueness is the caller's matter. `replaced` is the
 * stored one, if any: what only a newer release of Anki knows about it stays. Throws `FormatError` for what clients
 * could not parse, and for the id 0.
 */
export function deckFromJson(json: JsonValue, replaced?: Deck): Deck {
  const read = new ObjectReader(json, 'deck');
  const id = read.required('id', asI64OrText);
  if (id === 0n) throw new FormatError('The deck has the id 0');
  const isFiltered = read.required('dyn', asFilteredFlag);
  const common = create(DeckCommonSchema, {
    ...readStudied(read),
    studyCollapsed: read.required('collapsed', asBool),
    browserCollapsed: read.optional('browserCollapsed', asBool, false),
    other: writeOther(withoutKeys(read.object, isFiltered ? filteredKeys : normalKeys)),
  });
  const description = read.optional('desc', asText, '');
  const markdownDescription = read.optional('md', asBool, false);
  const kind = create(DeckKindSchema, {
    kind: isFiltered
      ? { case: 'filtered', value: filteredFromJson(read) }
      : { case: 'normal', value: normalFromJson(read, { description, markdownDescription }) },
  });
  if (replaced !== undefined) {
    keepUnknownFields(common, decodeBlob(DeckCommonSchema, replaced.common, `stored deck ${id}`));
    keepUnknownKindFields(kind, readKind(replaced));
  }
  return {
    id,
    name: normalizeDeckName(read.required('name', asText)),
    mtimeSecs: read.optional('mod', asSecsOrText, 0),
    usn: read.required('usn', asI32),
    common: encodeBlob(DeckCommonSchema, common),
    kind: encodeBlob(DeckKindSchema, kind),
  };
}

/** The deck config that a normal deck uses; undefined for filtered decks. Throws `FormatError` if the blob is broken. */
export function configIdOfDeck(deck: Pick<Deck, 'id' | 'kind'>): bigint | undefined {
  const { kind } = readKind(deck);
  return kind.case === 'normal' ? kind.value.configId : undefined;
}

type KnownKind = Exclude<DeckKind['kind'], { case: undefined }>;

function readKind(deck: Pick<Deck, 'id' | 'kind'>): DeckKind & { kind: KnownKind } {
  const message = decodeBlob(DeckKindSchema, deck.kind, `kind of deck ${deck.id}`);
  const { kind } = message;
  if (kind.case === undefined) throw new FormatError(`The deck ${deck.id} is neither normal nor filtered`);
  return { ...message, kind };
}

function normalToJson(deck: NormalDeck): JsonObject {
  return {
    conf: jsonInteger(deck.configId),
    extendNew: deck.extendNew | 0,
    extendRev: deck.extendReview | 0,
    reviewLimit: deck.reviewLimit ?? null,
    newLimit: deck.newLimit ?? null,
    reviewLimitToday: dayLimitToJson(deck.reviewLimitToday),
    newLimitToday: dayLimitToJson(deck.newLimitToday),
    desiredRetention: deck.desiredRetention === undefined ? null : percentOf(deck.desiredRetention),
  };
}

function normalFromJson(
  read: ObjectReader,
  texts: { readonly description: string; readonly markdownDescription: boolean },
): NormalDeck {
  const deck = create(NormalDeckSchema, {
    ...texts,
    configId: read.required('conf', asI64OrText),
    extendNew: Math.max(0, read.lenient('extendNew', asI32, 0)),
    extendReview: Math.max(0, read.lenient('extendRev', asI32, 0)),
  });
  const reviewLimit = read.lenient('reviewLimit', asU32, undefined);
  const newLimit = read.lenient('newLimit', asU32, undefined);
  const reviewLimitToday = read.lenient('reviewLimitToday', asDayLimit, undefined);
  const newLimitToday = read.lenient('newLimitToday', asDayLimit, undefined);
  const percent = read.lenient('desiredRetention', asU32, undefined);
  if (reviewLimit !== undefined) deck.reviewLimit = reviewLimit;
  if (newLimit !== undefined) deck.newLimit = newLimit;
  if (reviewLimitToday !== undefined) deck.reviewLimitToday = reviewLimitToday;
  if (newLimitToday !== undefined) deck.newLimitToday = newLimitToday;
  if (percent !== undefined) deck.desiredRetention = Math.fround(Math.fround(percent) / 100);
  return deck;
}

function filteredToJson(deck: FilteredDeck): JsonObject {
  const delays = deck.delays.every(Number.isFinite) ? deck.delays : []; // JSON has no NaN, and clients refuse null here.
  return {
    resched: deck.reschedule,
    terms: deck.searchTerms.map((term) => [term.search, term.limit | 0, term.order]),
    separate: true, // Without meaning since long, but old clients want it.
    delays: delays.length === 0 ? null : delays.map((minutes) => new JsonFloat(minutes, 'single')),
    previewDelay: deck.previewDelay,
    previewAgainSecs: deck.previewAgainSecs,
    previewHardSecs: deck.previewHardSecs,
    previewGoodSecs: deck.previewGoodSecs,
  };
}

function filteredFromJson(read: ObjectReader): FilteredDeck {
  read.optional('separate', asBool, false); // Only its type matters.
  return create(FilteredDeckSchema, {
    reschedule: read.required('resched', asBoolFromAnything),
    searchTerms: read.required('terms', listOf(asSearchTerm)),
    delays: read.lenient('delays', orNull(listOf(asF32)), null) ?? [],
    previewDelay: read.optional('previewDelay', asU32, 0),
    previewHardSecs: read.optional('previewHardSecs', asU32, 0),
    previewGoodSecs: read.optional('previewGoodSecs', asU32, 0),
    previewAgainSecs: read.optional('previewAgainSecs', asU32, 0),
  });
}

/** Anki keeps one day for all counts; those of older days are over and count as 0, but for the time. */
function readStudied(read: ObjectReader) {
  const [newDay, newAmount] = read.required('newToday', asDayAndAmount);
  const [reviewDay, reviewAmount] = read.required('revToday', asDayAndAmount);
  const [learningDay, learningAmount] = read.required('lrnToday', asDayAndAmount);
  const [timeDay, millisecondsStudied] = read.required('timeToday', asDayAndAmount);
  const day = Math.max(timeDay, newDay, reviewDay);
  return {
    lastDayStudied: day >>> 0,
    newStudied: newDay === day ? newAmount : 0,
    reviewStudied: reviewDay === day ? reviewAmount : 0,
    learningStudied: learningDay === day ? learningAmount : 0,
    millisecondsStudied,
  };
}

/** The last item is the amount, the one before it the day; what is missing or no integer counts as 0. */
function asDayAndAmount(value: JsonValue): readonly [day: number, amount: number] | undefined {
  return Array.isArray(value) ? [wrappedI32(value.at(-2)), wrappedI32(value.at(-1))] : undefined;
}

function wrappedI32(value: JsonValue | undefined): number {
  const exact = typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
  if (typeof exact !== 'bigint' || BigInt.asIntN(64, exact) !== exact) return 0;
  return Number(BigInt.asIntN(32, exact));
}

/** `dyn`: true or 1 for filtered, false or another small integer for normal. */
function asFilteredFlag(value: JsonValue): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const number = asU8(value);
  return number === undefined ? undefined : number === 1;
}

function asSearchTerm(value: JsonValue): SearchTerm | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const search = asText(value[0] ?? null);
  const limit = asI32OrText(value[1] ?? null);
  const order = asI32(value[2] ?? null);
  if (search === undefined || limit === undefined || order === undefined) return undefined;
  return create(SearchTermSchema, { search, limit: Math.max(0, limit), order });
}

/** `{"limit": 5, "today": 120}`, or the same as a list; null and all else is no limit. */
function asDayLimit(value: JsonValue): DayLimit | undefined {
  const parts = isJsonObject(value) ? [value.limit, value.today] : value;
  if (!Array.isArray(parts) || parts.length !== 2) return undefined;
  const limit = asU32(parts[0] ?? null);
  const today = asU32(parts[1] ?? null);
  return limit === undefined || today === undefined ? undefined : create(DayLimitSchema, { limit, today });
}

function dayLimitToJson(limit: DayLimit | undefined): JsonValue {
  return limit === undefined ? null : { limit: limit.limit, today: limit.today };
}

/** Single precision and cut off, as Anki does it: 0.53 becomes 52. */
function percentOf(fraction: number): number {
  const percent = Math.trunc(Math.fround(fraction * 100));
  return Number.isNaN(percent) ? 0 : Math.min(Math.max(percent, 0), u32Max);
}

function keepUnknownKindFields(message: DeckKind, stored: DeckKind): void {
  keepUnknownFields(message, stored);
  const { kind } = message;
  if (kind.case === 'normal' && stored.kind.case === 'normal') {
    keepUnknownFields(kind.value, stored.kind.value);
    for (const key of ['reviewLimitToday', 'newLimitToday'] as const) {
      const limit = kind.value[key];
      if (limit !== undefined) keepUnknownFields(limit, stored.kind.value[key]);
    }
  } else if (kind.case === 'filtered' && stored.kind.case === 'filtered') {
    const storedTerms = stored.kind.value.searchTerms;
    keepUnknownFields(kind.value, stored.kind.value);
    for (const [index, term] of kind.value.searchTerms.entries()) {
      if (storedTerms[index]?.search === term.search) keepUnknownFields(term, storedTerms[index]);
    }
  }
}
