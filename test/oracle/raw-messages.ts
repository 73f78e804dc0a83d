import { asObject, exactInteger, type Json } from '../exchanges/lossless-json.ts';
import type { Random } from '../support/random.ts';
import { odd } from './odd-json.ts';
import { type Contents, idOf, idText } from './raw-contents.ts';
import * as make from './raw-objects.ts';

/** The body of messages without arguments. */
export const emptyBody = '{"_pad":null}';
export const metaBody = '{"v":11,"cv":"anki,26.09.3 (test),linux"}';

/** For each message of a sync a body that changes nothing. */
export const smallestBodies: Readonly<Record<string, string>> = {
  applyGraves: '{"chunk":{"cards":[],"notes":[],"decks":[]}}',
  applyChanges: '{"changes":{"models":[],"decks":[[],[]],"tags":[]}}',
  chunk: emptyBody,
  applyChunk: '{"chunk":{"done":true}}',
  sanityCheck2: '{"client":[[0,0,0],0,0,0,0,0,0,0]}',
  finish: emptyBody,
};

/** Refused for every method. Without arguments this server is content with any JSON, unlike the official one. */
export const unreadableBodies = [
  '{',
  '',
  '{"chunk":3,',
  '{"client":[[0,0,0],0]} and more',
  '{"a":"\\ud800',
  '\ufeff{}',
];

/**
 * Values that this server may keep in another way than the official one: numbers that old clients send with fractions are
 * cut to the bounds of their column and not wrapped around, and the extra data of a card stay as they are.
 */
const treatedDifferently = /^chunk\/(?:cards\/\d+\/(?:4|8|9|14|17)|revlog\/\d+\/[4-7])$/;
/** Reviews may be shorter by one value, which would put others into the places above. */
const reviewRows = /^chunk\/revlog\/\d+$/;

/** More than two chunks hold. */
const manyNotes = 300;

/** What messages are made for. */
export interface Occasion {
  readonly nowMs: number;
  /** The server's usn, stamped on everything. */
  readonly usn: number;
  /** What the server holds, uncommitted objects of the present sync included. */
  readonly contents: Contents;
}

/** Makes the bodies of messages, about ids that all devices share: some that the collection had, some new. */
export class MessageMaker {
  readonly #random: Random;
  #ids = idsFor(undefined);

  constructor(random: Random) {
    this.#random = random;
  }

  /** From now on messages are about the first objects of this collection, and new ones. */
  meet(contents: Contents): void {
    this.#ids = idsFor(contents);
  }

  graves(probability: number): Json {
    const some = (ids: readonly Json[]) => (this.#random.chance(probability) ? this.#random.some(ids, 3) : []);
    const { cards, notes, decks } = this.#ids;
    // The default deck cannot be deleted by any client.
    return { cards: some(cards), notes: some(notes), decks: some(decks.filter((id) => id !== 1)) };
  }

  /** `newerConfig` is the whole config and `crt`, sent by the side whose collection changed last. */
  changes(occasion: Occasion, newerConfig: { readonly conf: Json; readonly crt: Json } | undefined): Json {
    const random = this.#random;
    const making = this.#making(occasion);
    const { decks, configs, notetypes } = this.#ids;
    const models = random.some(notetypes, 2).map((id) => {
      const known = occasion.contents.notetypes.get(idText(id));
      const [fields, templates] = known ?? [random.integer(1, 3), random.integer(1, 2)];
      return make.notetype(making, id, random.chance(0.03) ? fields + 1 : fields, templates);
    });
    const deckList = random.some(decks, 4).map((id) => {
      const isNormal = random.chance(0.7) || id === 1;
      return isNormal ? make.normalDeck(making, id, random.pick(configs)) : make.filteredDeck(making, id);
    });
    const configList = random.some(configs, 2).map((id) => make.deckConfig(making, id));
    const changes = { models, decks: [deckList, configList], tags: make.tagNames(making) };
    if (newerConfig === undefined) return changes;
    const conf = { ...asObject(newerConfig.conf ?? {}, 'conf'), ...make.configKeys(making) };
    return { ...changes, conf, crt: newerConfig.crt };
  }

  chunk(occasion: Occasion, done: boolean): Json {
    const random = this.#random;
    const making = this.#making(occasion);
    const { notes, cards, decks, revlog } = this.#ids;
    const notetypes = [...occasion.contents.notetypes];
    const makeNote = (id: Json) => {
      const [notetypeId, [fields]] = random.pick(notetypes);
      const wrongCount = random.chance(0.01);
      const type = random.chance(0.01) ? 4 : idOf(notetypeId);
      return make.noteRow(making, id, type, wrongCount ? fields + 1 : fields);
    };
    return {
      done,
      revlog: random.some(revlog, 4).map((id) => make.revlogRow(making, id, random.pick(cards))),
      cards: random.some(cards, 8).map((id) => make.cardRow(making, id, random.pick(notes), random.pick(decks))),
      notes: random.some(notes, 5).map(makeNote),
    };
  }

  /** So many notes that the server needs several chunks to tell of them. */
  largeChunk(occasion: Occasion): Json {
    const making = this.#making(occasion);
    const [[notetypeId, [fields]]] = [...occasion.contents.notetypes] as [[string, readonly [number, number]]];
    const notes = series(1500000001000, manyNotes).map((id) => make.noteRow(making, id, idOf(notetypeId), fields));
    return { done: false, notes };
  }

  /** An ordinary message with one value changed, doubled or taken out. */
  odd(occasion: Occasion, newerConfig: { readonly conf: Json; readonly crt: Json }): { path: string; body: string } {
    const method = this.#random.weighted({ applyChanges: 6, applyChunk: 4, applyGraves: 1 });
    const messages: Readonly<Record<typeof method, () => Json>> = {
      applyChanges: () => ({ changes: this.changes(occasion, this.#random.chance(0.3) ? newerConfig : undefined) }),
      applyChunk: () => ({ chunk: this.chunk(occasion, true) }),
      applyGraves: () => ({ chunk: this.graves(0.5) }),
    };
    const places = { except: treatedDifferently, rows: reviewRows };
    return { path: `sync/${method}`, body: JSON.stringify(odd(this.#random, messages[method](), places)) };
  }

  #making({ nowMs, usn }: Occasion): make.Making {
    return { random: this.#random, nowSecs: Math.floor(nowMs / 1000), usn };
  }
}

function idsFor(contents: Contents | undefined) {
  const mixed = (present: Iterable<string> | undefined, fresh: readonly Json[]): readonly Json[] => [
    ...[...(present ?? [])].sort().slice(0, 6).map(idOf),
    ...fresh,
  ];
  return {
    notes: mixed(contents?.notes, [...series(1500000000001, 5), exactInteger(9007199254740993n)]),
    cards: mixed(contents?.cards, [...series(1500000000101, 9), exactInteger(9223372036854775807n)]),
    revlog: mixed(contents?.revlog, series(1500000000201, 9)),
    decks: mixed(contents?.decks, [...series(1500000000301, 6), 1]),
    configs: mixed(contents?.configs, [...series(1500000000401, 3), 1]),
    notetypes: mixed(contents?.notetypes.keys(), series(1500000000501, 2)),
  };
}

function series(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}
