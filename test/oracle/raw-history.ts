import { asList, asObject, exactInteger, type Json } from '../exchanges/lossless-json.ts';
import { odd } from './odd-json.ts';
import type { Random } from './random.ts';
import { mediaStep } from './raw-media.ts';
import * as make from './raw-objects.ts';

/** One message of one device. */
export interface RawStep {
  /** `sync/start` */
  readonly path: string;
  readonly sessionKey: string;
  readonly body: string | Uint8Array;
  /** How long after the step before, milliseconds. */
  readonly afterMs: number;
  /** No client sends it. */
  readonly isOdd: boolean;
  /** How the message is dressed: modern ones have a header and zstd, legacy ones are forms. */
  readonly dress: 'modern' | 'legacy';
}

/** What a history learns from an answer. */
export interface RawAnswer {
  readonly status: number;
  /** Undefined for refusals, files and texts. */
  readonly json: Json | undefined;
}

/** A history asks for one step after the other; what it asks next depends on the answers. */
export type RawHistory = Generator<RawStep, void, RawAnswer>;

const dayMs = 86_400_000;

/** What the server holds, as far as a history needs it. Ids are texts, because some are beyond 2^53. */
class Contents {
  notes = new Set<string>();
  cards = new Set<string>();
  revlog = new Set<string>();
  decks = new Set<string>();
  configs = new Set<string>();
  /** Id to number of fields and templates. */
  notetypes = new Map<string, readonly [fields: number, templates: number]>();

  copy(): Contents {
    const copy = new Contents();
    for (const key of ['notes', 'cards', 'revlog', 'decks', 'configs'] as const) copy[key] = new Set(this[key]);
    copy.notetypes = new Map(this.notetypes);
    return copy;
  }

  /** What a device that has everything sends with `sanityCheck2`. */
  counts(): Json {
    const { notes, cards, revlog, notetypes, decks, configs } = this;
    return [[0, 0, 0], cards.size, notes.size, revlog.size, 0, notetypes.size, decks.size, configs.size];
  }
}

/** Files for full uploads. */
export interface Uploads {
  readonly good: readonly Uint8Array[];
  /** Refused, with a text. */
  readonly bad: readonly Uint8Array[];
}

/**
 * A random history of one account: it starts with a full upload, then several devices sync by messages of their own
 * making, mostly in order, sometimes not. `clock` tells the time of the step that is asked for next.
 */
export function* rawHistory(random: Random, uploads: Uploads, syncs: number, clock: { nowMs: number }): RawHistory {
  const writer = new RawWriter(random, clock);
  yield* writer.begin(random.pick(uploads.good));
  for (let left = syncs; left > 0; left--) {
    switch (
      random.weighted({
        sync: 10,
        odd: 3,
        media: 3,
        download: 0.5,
        legacyDownload: 0.3,
        upload: 0.4,
        badUpload: 0.3,
        nextDay: 0.5,
      })
    ) {
      case 'sync':
        yield* writer.sync();
        break;
      case 'odd':
        yield* writer.oddSync();
        break;
      case 'media':
        for (let steps = random.integer(1, 4); steps > 0; steps--) yield writer.step(...mediaStep(random));
        break;
      case 'download':
        yield writer.step('sync/download', '{"_pad":null}');
        break;
      case 'upload':
        yield* writer.begin(random.pick(uploads.good));
        break;
      case 'badUpload':
        yield writer.step('sync/upload', random.pick(uploads.bad));
        break;
      case 'nextDay':
        yield writer.step('sync/meta', metaBody, { afterMs: dayMs * random.integer(1, 9) });
        break;
    }
  }
  yield* writer.readAll();
  yield writer.step('sync/download', '{"_pad":null}');
  // The official server rewrites its own collection for this, and back again, renaming by chance: nothing may follow.
  yield writer.step('sync/download', '', { dress: 'legacy' });
}

const metaBody = '{"v":11,"cv":"anki,26.09.3 (test),linux"}';

/** Ends a sync before its time. */
class SyncOver extends Error {}

class RawWriter {
  readonly #random: Random;
  readonly #clock: { nowMs: number };
  /** Three devices, known by what they have seen. */
  readonly #seen = [0, 0, 0];
  #contents = new Contents();
  #usn = 0;
  #conf: Json = null;
  #crt: Json = null;
  #keys = 0;
  #key = '';

  constructor(random: Random, clock: { nowMs: number }) {
    this.#random = random;
    this.#clock = clock;
  }

  step(path: string, body: string | Uint8Array, options: Partial<Omit<RawStep, 'path' | 'body'>> = {}): RawStep {
    const afterMs = this.#random.integer(1, 1500);
    return { path, body, sessionKey: this.#key, afterMs, isOdd: false, dress: 'modern', ...options };
  }

  /** Puts `collection` in the place of everything, and reads it. */
  *begin(collection: Uint8Array): RawHistory {
    yield this.step('sync/upload', collection, { sessionKey: this.#newKey() });
    yield* this.readAll();
    this.#seen.fill(this.#usn);
  }

  /** As a device that knows nothing; then aborts. */
  *readAll(): RawHistory {
    const contents = new Contents();
    this.#key = this.#newKey();
    this.#usn = Number(asObject((yield this.step('sync/meta', metaBody)).json, 'meta').usn);
    yield this.step('sync/start', '{"minUsn":0,"lnewer":false,"graves":null}');
    const answer = (yield this.step('sync/applyChanges', '{"changes":{"models":[],"decks":[[],[]],"tags":[]}}')).json;
    const { models, decks, conf, crt } = asObject(answer, 'changes');
    for (const model of asList(models, 'models')) {
      const { id, flds, tmpls } = asObject(model, 'notetype');
      contents.notetypes.set(idText(id), [asList(flds, 'flds').length, asList(tmpls, 'tmpls').length]);
    }
    const [deckList, configList] = asList(decks, 'decks');
    for (const deck of asList(deckList, 'decks')) contents.decks.add(idText(asObject(deck, 'deck').id));
    for (const config of asList(configList, 'configs')) contents.configs.add(idText(asObject(config, 'config').id));
    for (let done = false; !done; ) {
      const chunk = asObject((yield this.step('sync/chunk', '{"_pad":null}')).json, 'chunk');
      for (const kind of ['notes', 'cards', 'revlog'] as const) {
        for (const row of asList(chunk[kind] ?? [], kind)) contents[kind].add(idText(asList(row, 'row')[0]));
      }
      done = chunk.done === true;
    }
    yield this.step('sync/abort', '{"_pad":null}');
    this.#conf = conf ?? null;
    this.#crt = crt ?? null;
    this.#contents = contents;
  }

  /** One attempt of a random device, which may go wrong anywhere. */
  *sync(): RawHistory {
    const device = this.#random.integer(0, this.#seen.length - 1);
    const working = this.#contents.copy();
    this.#key = this.#newKey();
    try {
      this.#usn = Number(asObject((yield this.step('sync/meta', metaBody)).json, 'meta').usn);
      if (this.#random.chance(0.1)) return; // "No changes", or a mere look.
      const clientUsn = Math.min(this.#seen[device] ?? 0, this.#usn);
      const clientIsNewer = this.#random.chance(0.5);
      const start = {
        minUsn: clientUsn,
        lnewer: clientIsNewer,
        graves: this.#random.pick<Json>([null, this.#graves(0.1)]),
      };
      yield* this.#send('start', start, () => forget(working, start.graves));
      yield* this.#inDisorder();
      for (let count = this.#random.integer(0, 2); count > 0; count--) {
        const graves = this.#graves(0.5);
        yield* this.#send('applyGraves', { chunk: graves }, () => forget(working, graves));
      }
      const rest = [() => this.#changes(working, clientIsNewer), () => this.#chunks(), () => this.#objects(working)];
      // Clients keep this order; servers do not ask for it.
      if (this.#random.chance(0.1)) rest.reverse();
      for (const part of rest) {
        yield* part();
        yield* this.#inDisorder();
      }
      yield* this.#end(working, device);
    } catch (error) {
      if (!(error instanceof SyncOver)) throw error;
    }
  }

  /**
   * A sync with one message that hardly any client would send. Where it is taken, the counts come from a first attempt that
   * fails at the sanity check.
   */
  *oddSync(): RawHistory {
    const message = this.#oddMessage();
    let client: Json = [[0, 0, 0], 0, 0, 0, 0, 0, 0, 0];
    for (const _attempt of [1, 2]) {
      this.#key = this.#newKey();
      this.#usn = Number(asObject((yield this.step('sync/meta', metaBody)).json, 'meta').usn);
      yield this.step('sync/start', JSON.stringify({ minUsn: this.#usn, lnewer: true }));
      const taken = (yield this.step(message.path, message.body, { isOdd: true })).status === 200;
      const answer = taken ? (yield this.step('sync/sanityCheck2', JSON.stringify({ client }))).json : undefined;
      const { status, s: counts } = asObject(answer ?? {}, 'sanity check');
      if (status === 'ok') yield this.step('sync/finish', '{"_pad":null}');
      else yield this.step('sync/abort', '{"_pad":null}');
      if (status !== 'bad' || counts === null) break;
      client = counts ?? null;
    }
    yield* this.readAll();
  }

  /** An ordinary message with one value changed, or taken out. */
  #oddMessage(): { path: string; body: string } {
    const working = this.#contents.copy();
    const messages: Readonly<Record<string, () => Json>> = {
      applyChanges: () => ({ changes: this.#smallObjects(working, this.#random.chance(0.3)).message }),
      applyChunk: () => ({ chunk: this.#chunk(working, true) }),
      applyGraves: () => ({ chunk: this.#graves(0.5) }),
    };
    const method = this.#random.weighted({ applyChanges: 6, applyChunk: 4, applyGraves: 1 });
    return {
      path: `sync/${method}`,
      body: JSON.stringify(odd(this.#random, messages[method]?.() ?? null, { except: treatedDifferently, rows })),
    };
  }

  *#changes(working: Contents, clientIsNewer: boolean): RawHistory {
    const changes = this.#smallObjects(working, clientIsNewer);
    yield* this.#send('applyChanges', { changes: changes.message }, changes.remember);
  }

  *#chunks(): RawHistory {
    for (let done = false; !done && !this.#random.chance(0.03); ) {
      const answer = yield this.step('sync/chunk', '{"_pad":null}');
      if (answer.status !== 200) throw new SyncOver();
      done = asObject(answer.json, 'chunk').done === true;
    }
  }

  *#objects(working: Contents): RawHistory {
    for (let count = this.#random.integer(1, 2); count > 0; count--) {
      const chunk = this.#chunk(working, count === 1);
      yield* this.#send('applyChunk', { chunk }, () => remember(working, chunk));
    }
  }

  /** Sanity check and finish; now and then the counts are wrong, or the client goes away. */
  *#end(working: Contents, device: number): RawHistory {
    const right = !this.#random.chance(0.08);
    const client = right ? working.counts() : [[0, 0, 0], working.cards.size + 1, 0, 0, 0, 0, 0, 0];
    const { json } = yield this.step('sync/sanityCheck2', JSON.stringify({ client }));
    if (json === undefined || asObject(json, 'answer').status !== 'ok' || this.#random.chance(0.05)) {
      yield this.step('sync/abort', '{"_pad":null}');
      return;
    }
    const finished = yield this.step('sync/finish', '{"_pad":null}');
    if (finished.status !== 200) return;
    this.#contents = working;
    this.#seen[device] = this.#usn + 1;
  }

  /** Sends a message of a sync. `then` happens when it was taken; a refusal ends the sync. */
  *#send(method: string, body: Json, then: () => void): RawHistory {
    const answer = yield this.step(`sync/${method}`, JSON.stringify(body));
    if (answer.status === 200) return then();
    yield this.step('sync/chunk', '{"_pad":null}'); // Nothing is left of the sync: this is refused, too.
    yield this.step('sync/abort', '{"_pad":null}');
    throw new SyncOver();
  }

  /** What a well-behaved client would not do at this moment. */
  *#inDisorder(): RawHistory {
    if (!this.#random.chance(0.2)) return;
    const foreign = this.#newKey();
    const method = this.#random.pick(['applyGraves', 'applyChanges', 'chunk', 'applyChunk', 'sanityCheck2', 'finish']);
    switch (
      this.#random.weighted({
        foreign: 3,
        keyless: 1,
        unreadable: 2,
        chunk: 2,
        media: 2,
        abort: 1,
        lateAbort: 1,
        start: 1,
        download: 0.5,
      })
    ) {
      case 'foreign':
        yield this.step(`sync/${method}`, smallestBodies[method] ?? '{}', { sessionKey: foreign });
        return;
      case 'keyless':
        yield this.step(`sync/${method}`, smallestBodies[method] ?? '{}', { sessionKey: '' });
        return;
      case 'unreadable':
        yield this.step(`sync/${method}`, this.#random.pick(unreadableBodies));
        return;
      case 'chunk':
        yield this.step('sync/chunk', '{"_pad":null}');
        return;
      case 'media':
        yield this.step(...mediaStep(this.#random));
        return;
      case 'abort':
        yield this.step('sync/abort', '{"_pad":null}');
        break;
      case 'lateAbort':
        // A client whose user cancels has a new key by then.
        yield this.step('sync/abort', '{"_pad":null}', { sessionKey: foreign, afterMs: 60_000 });
        break;
      case 'start':
        yield this.step('sync/start', `{"minUsn":${this.#usn},"lnewer":true}`, { sessionKey: foreign });
        yield this.step(`sync/${method}`, smallestBodies[method] ?? '{}');
        yield this.step('sync/abort', '{"_pad":null}', { sessionKey: foreign });
        break;
      case 'download':
        yield this.step('sync/download', '{"_pad":null}', { sessionKey: foreign });
        break;
    }
    yield this.step(`sync/${method}`, smallestBodies[method] ?? '{}');
    throw new SyncOver();
  }

  get #making(): make.Making {
    return { random: this.#random, nowSecs: Math.floor(this.#clock.nowMs / 1000), usn: this.#usn };
  }

  #graves(probability: number): Json {
    const some = (ids: readonly Json[]) => (this.#random.chance(probability) ? this.#random.some(ids, 3) : []);
    const { cards, notes, decks } = this.#ids();
    // The default deck cannot be deleted by any client.
    return { cards: some(cards), notes: some(notes), decks: some(decks.filter((id) => id !== 1)) };
  }

  #smallObjects(working: Contents, clientIsNewer: boolean) {
    const random = this.#random;
    const making = this.#making;
    const { decks, configs, notetypes } = this.#ids();
    const models = random.some(notetypes, 2).map((id) => {
      const [fields, templates] = working.notetypes.get(idText(id)) ?? [random.integer(1, 3), random.integer(1, 2)];
      return make.notetype(making, id, random.chance(0.03) ? fields + 1 : fields, templates);
    });
    const deckList = random
      .some(decks, 4)
      .map((id) =>
        random.chance(0.7) || id === 1
          ? make.normalDeck(making, id, random.pick(configs))
          : make.filteredDeck(making, id),
      );
    const configList = random.some(configs, 2).map((id) => make.deckConfig(making, id));
    const message: make.WritableObject = { models, decks: [deckList, configList], tags: make.tagNames(making) };
    if (clientIsNewer)
      Object.assign(message, {
        conf: { ...asObject(this.#conf ?? {}, 'conf'), ...make.configKeys(making) },
        crt: this.#crt,
      });
    const remember = () => {
      for (const { id, flds, tmpls } of models) {
        const known = working.notetypes.get(idText(id));
        if (!known) working.notetypes.set(idText(id), [asList(flds, 'flds').length, asList(tmpls, 'tmpls').length]);
      }
      for (const { id } of deckList) working.decks.add(idText(id));
      for (const { id } of configList) working.configs.add(idText(id));
    };
    return { message, remember };
  }

  #chunk(working: Contents, done: boolean): Json {
    const random = this.#random;
    const making = this.#making;
    const { notes, cards, decks, revlog } = this.#ids();
    const known = [...working.notetypes];
    return {
      done,
      revlog: random.some(revlog, 4).map((id) => make.revlogRow(making, id, random.pick(cards))),
      cards: random.some(cards, 8).map((id) => make.cardRow(making, id, random.pick(notes), random.pick(decks))),
      notes: random.some(notes, 5).map((id) => {
        const [notetypeId, [fields]] = random.pick(known);
        const wrong = random.chance(0.01);
        const type = random.chance(0.01) ? 4 : idOf(notetypeId);
        return make.noteRow(making, id, type, wrong ? fields + 1 : fields);
      }),
    };
  }

  /** Ids that objects of all devices share: some that the collection had, some new. */
  #ids() {
    const { notes, cards, revlog, decks, configs, notetypes } = this.#contents;
    const mixed = (present: Iterable<string>, fresh: readonly Json[]): readonly Json[] => [
      ...[...present].sort().slice(0, 6).map(idOf),
      ...fresh,
    ];
    const series = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
    return {
      notes: mixed(notes, [...series(1500000000001, 5), exactInteger(9007199254740993n)]),
      cards: mixed(cards, [...series(1500000000101, 9), exactInteger(9223372036854775807n)]),
      revlog: mixed(revlog, series(1500000000201, 9)),
      decks: mixed(decks, [...series(1500000000301, 6), 1]),
      configs: mixed(configs, [...series(1500000000401, 3), 1]),
      notetypes: mixed([...notetypes.keys()], series(1500000000501, 2)),
    };
  }

  #newKey(): string {
    return `k${(++this.#keys).toString(36)}`;
  }
}

const smallestBodies: Readonly<Record<string, string>> = {
  applyGraves: '{"chunk":{"cards":[],"notes":[],"decks":[]}}',
  applyChanges: '{"changes":{"models":[],"decks":[[],[]],"tags":[]}}',
  chunk: '{"_pad":null}',
  applyChunk: '{"chunk":{"done":true}}',
  sanityCheck2: '{"client":[[0,0,0],0,0,0,0,0,0,0]}',
  finish: '{"_pad":null}',
};

/**
 * Values that this server may keep in another way than the official one: numbers that old clients send with fractions are
 * cut to the bounds of their column and not wrapped around, and the extra data of a card stay as they are.
 */
const treatedDifferently = /^chunk\/(?:cards\/\d+\/(?:4|8|9|14|17)|revlog\/\d+\/[4-7])$/;

/** Reviews may be shorter by one value, which would put others into the places above. */
const rows = /^chunk\/revlog\/\d+$/;

/** Refused for every method. Without arguments this server is content with any JSON, unlike the official one. */
const unreadableBodies = ['{', '', '{"chunk":3,', '{"client":[[0,0,0],0]} and more', '{"a":"\\ud800', '\ufeff{}'];

function forget(contents: Contents, graves: Json): void {
  if (graves === null) return;
  for (const kind of ['notes', 'cards', 'decks'] as const) {
    for (const id of asList(asObject(graves, 'graves')[kind], kind)) contents[kind].delete(idText(id));
  }
}

function remember(contents: Contents, chunk: Json): void {
  for (const kind of ['notes', 'cards', 'revlog'] as const) {
    for (const row of asList(asObject(chunk, 'chunk')[kind], kind)) contents[kind].add(idText(asList(row, 'row')[0]));
  }
}

function idText(id: Json | undefined): string {
  return JSON.stringify(id ?? null);
}

function idOf(text: string): Json {
  const id = BigInt(text);
  return BigInt.asIntN(53, id) === id ? Number(id) : exactInteger(id);
}
