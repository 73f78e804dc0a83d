import { asObject, type Json } from '../exchanges/lossless-json.ts';
import type { Random } from '../support/random.ts';
import { Contents } from './raw-contents.ts';
import { mediaStep } from './raw-media.ts';
import { emptyBody, MessageMaker, metaBody, type Occasion, smallestBodies, unreadableBodies } from './raw-messages.ts';

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
        yield writer.step('sync/download', emptyBody);
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
  yield writer.step('sync/download', emptyBody);
  // The official server rewrites its own collection for this, and back again, renaming by chance: nothing may follow.
  yield writer.step('sync/download', '', { dress: 'legacy' });
}

/** Ends a sync before its time. */
class SyncOver extends Error {}

class RawWriter {
  readonly #random: Random;
  readonly #clock: { nowMs: number };
  readonly #messages: MessageMaker;
  /** Three devices, known by what they have seen. */
  readonly #seen = [0, 0, 0];
  #contents = new Contents();
  #usn = 0;
  #config: { readonly conf: Json; readonly crt: Json } = { conf: null, crt: null };
  #keys = 0;
  #key = '';

  constructor(random: Random, clock: { nowMs: number }) {
    this.#random = random;
    this.#clock = clock;
    this.#messages = new MessageMaker(random);
  }

  step(path: string, body: string | Uint8Array, options: Partial<Omit<RawStep, 'path' | 'body'>> = {}): RawStep {
    const afterMs = this.#random.integer(1, 1500);
    return { path, body, sessionKey: this.#key, afterMs, isOdd: false, dress: 'modern', ...options };
  }

  /** Puts `collection` in the place of everything, and reads it. */
  *begin(collection: Uint8Array): RawHistory {
    yield this.step('sync/upload', collection, { sessionKey: this.#newKey() });
    yield* this.readAll();
    this.#messages.meet(this.#contents);
    this.#seen.fill(this.#usn);
  }

  /** As a device that knows nothing; then aborts. */
  *readAll(): RawHistory {
    const contents = new Contents();
    this.#key = this.#newKey();
    this.#usn = Number(asObject((yield this.step('sync/meta', metaBody)).json, 'meta').usn);
    yield this.step('sync/start', '{"minUsn":0,"lnewer":false,"graves":null}');
    const { json } = yield this.step('sync/applyChanges', smallestBodies.applyChanges ?? '');
    contents.addChanges(json ?? null);
    const { conf, crt } = asObject(json, 'changes');
    for (let done = false; !done; ) {
      const chunk = (yield this.step('sync/chunk', emptyBody)).json ?? null;
      contents.addChunk(chunk);
      done = asObject(chunk, 'chunk').done === true;
    }
    yield this.step('sync/abort', emptyBody);
    this.#config = { conf: conf ?? null, crt: crt ?? null };
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
        graves: this.#random.pick<Json>([null, this.#messages.graves(0.1)]),
      };
      yield* this.#send('start', start, () => working.forget(start.graves));
      yield* this.#inDisorder();
      for (let count = this.#random.integer(0, 2); count > 0; count--) {
        const graves = this.#messages.graves(0.5);
        yield* this.#send('applyGraves', { chunk: graves }, () => working.forget(graves));
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
    const message = this.#messages.odd(this.#occasion(this.#contents), this.#config);
    let client: Json = [[0, 0, 0], 0, 0, 0, 0, 0, 0, 0];
    for (const _attempt of [1, 2]) {
      this.#key = this.#newKey();
      this.#usn = Number(asObject((yield this.step('sync/meta', metaBody)).json, 'meta').usn);
      yield this.step('sync/start', JSON.stringify({ minUsn: this.#usn, lnewer: true }));
      const taken = (yield this.step(message.path, message.body, { isOdd: true })).status === 200;
      const answer = taken ? (yield this.step('sync/sanityCheck2', JSON.stringify({ client }))).json : undefined;
      const { status, s: counts } = asObject(answer ?? {}, 'sanity check');
      if (status === 'ok') yield this.step('sync/finish', emptyBody);
      else yield this.step('sync/abort', emptyBody);
      if (status !== 'bad' || counts === null) break;
      client = counts ?? null;
    }
    yield* this.readAll();
  }

  *#changes(working: Contents, clientIsNewer: boolean): RawHistory {
    const changes = this.#messages.changes(this.#occasion(working), clientIsNewer ? this.#config : undefined);
    yield* this.#send('applyChanges', { changes }, () => working.addChanges(changes));
  }

  *#chunks(): RawHistory {
    for (let done = false; !done && !this.#random.chance(0.03); ) {
      const answer = yield this.step('sync/chunk', emptyBody);
      if (answer.status !== 200) throw new SyncOver();
      done = asObject(answer.json, 'chunk').done === true;
    }
  }

  *#objects(working: Contents): RawHistory {
    for (let count = this.#random.integer(1, 2); count > 0; count--) {
      const isLarge = this.#random.chance(0.02);
      const occasion = this.#occasion(working);
      const chunk = isLarge ? this.#messages.largeChunk(occasion) : this.#messages.chunk(occasion, count === 1);
      yield* this.#send('applyChunk', { chunk }, () => working.addChunk(chunk));
    }
  }

  /** Sanity check and finish; now and then the counts are wrong, or the client goes away. */
  *#end(working: Contents, device: number): RawHistory {
    const right = !this.#random.chance(0.08);
    const client = right ? working.counts() : [[0, 0, 0], working.cards.size + 1, 0, 0, 0, 0, 0, 0];
    const { json } = yield this.step('sync/sanityCheck2', JSON.stringify({ client }));
    if (json === undefined || asObject(json, 'answer').status !== 'ok' || this.#random.chance(0.05)) {
      yield this.step('sync/abort', emptyBody);
      return;
    }
    const finished = yield this.step('sync/finish', emptyBody);
    if (finished.status !== 200) return;
    this.#contents = working;
    this.#seen[device] = this.#usn + 1;
  }

  /** Sends a message of a sync. `then` happens when it was taken; a refusal ends the sync. */
  *#send(method: string, body: Json, then: () => void): RawHistory {
    const answer = yield this.step(`sync/${method}`, JSON.stringify(body));
    if (answer.status === 200) return then();
    yield this.step('sync/chunk', emptyBody); // Nothing is left of the sync: this is refused, too.
    yield this.step('sync/abort', emptyBody);
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
        yield this.step('sync/chunk', emptyBody);
        return;
      case 'media':
        yield this.step(...mediaStep(this.#random));
        return;
      case 'abort':
        yield this.step('sync/abort', emptyBody);
        break;
      case 'lateAbort':
        // A client whose user cancels has a new key by then.
        yield this.step('sync/abort', emptyBody, { sessionKey: foreign, afterMs: 60_000 });
        break;
      case 'start':
        yield this.step('sync/start', `{"minUsn":${this.#usn},"lnewer":true}`, { sessionKey: foreign });
        yield this.step(`sync/${method}`, smallestBodies[method] ?? '{}');
        yield this.step('sync/abort', emptyBody, { sessionKey: foreign });
        break;
      case 'download':
        yield this.step('sync/download', emptyBody, { sessionKey: foreign });
        break;
    }
    yield this.step(`sync/${method}`, smallestBodies[method] ?? '{}');
    throw new SyncOver();
  }

  #occasion(contents: Contents): Occasion {
    return { nowMs: this.#clock.nowMs, usn: this.#usn, contents };
  }

  #newKey(): string {
    return `k${(++this.#keys).toString(36)}`;
  }
}
