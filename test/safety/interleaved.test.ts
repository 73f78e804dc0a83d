import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Random } from '../support/random.ts';
import { RawClient } from '../support/raw-client.ts';
import { fastFolder } from './fast-folder.ts';
import {
  type CollectionRequest,
  type CollectionState,
  collectionStep,
  collectionText,
  forget,
  notesText,
  type Reply,
  readCollection,
  uploaded,
} from './histories/collection-model.ts';
import { InProcessServer } from './histories/in-process.ts';
import { type Asked, statesAfter } from './histories/interleavings.ts';
import { changesOf, type MediaModel, type MediaRequest, mediaStep, mediaText } from './histories/media-model.ts';
import { isLong, seedOf } from './random.ts';
import { type UploadFile, uploadFile } from './script.ts';
import { stateOfBytes } from './stored-state.ts';
import { mediaZip, SyncDevice, sanityList } from './sync-device.ts';

const seed = seedOf(1);
const requestsWanted = isLong ? 300_000 : 10_000;
const users = Array.from({ length: 60 }, (_, index) => `user${index}`);
const devices = [0, 1, 2];
const firstNoteId = 1_500_000_000_000;
/** Uploading is slow, and ends what others are at: now and then is enough. */
const weights = {
  meta: 3,
  start: 4,
  applyChunk: 7,
  chunk: 1,
  sanityCheck2: 2,
  finish: 5,
  abort: 0.6,
  upload: 0.25,
  download: 0.4,
};

let lastId = 0;

/** A user with several devices that do as they please, and all that the server may hold of them. */
class ModelledUser {
  readonly name: string;
  readonly #dice: Random;
  readonly #files: readonly UploadFile[];
  readonly #server: InProcessServer;
  readonly #client: RawClient;
  /** The session key of each device's present attempt. */
  readonly #keys: string[] = devices.map(() => newKey());
  collection: readonly CollectionState[];
  media: readonly MediaModel[] = [{ usn: 0, entries: new Map() }];

  constructor(name: string, dice: Random, files: readonly UploadFile[], server: InProcessServer) {
    this.name = name;
    this.#dice = dice;
    this.#files = files;
    this.#server = server;
    this.#client = new RawClient(server.url, server.hostKeys.get(name) ?? '');
    const file = this.#file();
    this.collection = [{ ...uploaded(file), session: undefined, told: new Map() }];
    this.#first = file;
  }

  readonly #first: UploadFile;

  async begin(): Promise<void> {
    assert.equal(await this.#client.upload(this.#first.bytes), 'OK');
  }

  /** Asks several things at once, and finds out what can have happened. Returns how many. */
  async round(): Promise<number> {
    const collection = Array.from({ length: this.#dice.integer(1, 4) }, () => this.#collectionRequest());
    const media = Array.from({ length: this.#dice.integer(0, 2) }, () => this.#mediaRequest());
    const [collectionAsked, mediaAsked] = await Promise.all([
      Promise.all(collection.map((request) => this.#askCollection(request))),
      Promise.all(media.map((request) => this.#askMedia(request))),
    ]);
    this.#conclude = () => {
      const before = this.collection.map(collectionText).join(' or ');
      const after = statesAfter(this.collection, collectionAsked, collectionStep, collectionText);
      assert.ok(after.length > 0, `${this.name}: no order explains ${explain(collectionAsked)} after ${before}`);
      this.collection = after.map((state) => forget(state, (key) => this.#keys.includes(key)));
      this.media = statesAfter(this.media, mediaAsked, mediaStep, mediaText);
      assert.ok(this.media.length > 0, `${this.name}: no order explains ${JSON.stringify(mediaAsked)}`);
    };
    return collection.length + media.length;
  }

  #conclude: () => void = () => {};

  /** When nothing is on its way any more. */
  conclude(): void {
    this.#conclude();
  }

  async #askCollection(request: CollectionRequest): Promise<Asked<CollectionRequest, Reply>> {
    const header = headerOf(this.#client, request.device, request.key);
    const [target, payload] = [`sync/${request.kind}`, this.#payloadOf(request)];
    // Whoever goes away begins anew, with another key.
    if (this.#dice.chance(0.06)) {
      this.#keys[request.device] = newKey();
      return { request, reply: await this.#leave(target, header, payload) };
    }
    return { request, reply: await this.#client.post(target, payload, { header }) };
  }

  async #askMedia(request: MediaRequest): Promise<Asked<MediaRequest, Reply>> {
    const target = `msync/${request.kind}`;
    const payload =
      request.kind === 'uploadChanges'
        ? mediaZip(request.changes)
        : Buffer.from(request.kind === 'mediaChanges' ? '{"lastUsn":0}' : '{"local":3}');
    const header = headerOf(this.#client, 0, 'media');
    if (this.#dice.chance(0.06)) return { request, reply: await this.#leave(target, header, payload) };
    return { request, reply: await this.#client.post(target, payload, { header }) };
  }

  async #leave(target: string, header: string, payload: Uint8Array): Promise<undefined> {
    await this.#server.sendAndLeave(target, header, payload, this.#dice.pick(['half', 0, 1, 3, 10]));
    return undefined;
  }

  #collectionRequest(): CollectionRequest {
    const device = this.#dice.pick(devices);
    const kind = this.#pickKind();
    // Now and then a key from nowhere; a new attempt has a new one.
    if (kind === 'meta' || (kind === 'start' && this.#dice.chance(0.4))) this.#keys[device] = newKey();
    const key = this.#dice.chance(0.03) ? newKey() : (this.#keys[device] ?? '');
    const common = { id: ++lastId, device, key };
    switch (kind) {
      case 'applyChunk': {
        const ids = Array.from({ length: this.#dice.integer(1, 3) }, () => firstNoteId + this.#dice.integer(0, 7));
        return {
          ...common,
          kind,
          notes: [...new Set(ids)].map((id) => [id, this.#dice.integer(1_500_000_000, 1_500_000_009)]),
        };
      }
      case 'sanityCheck2': {
        const [state] = this.collection;
        const notes = state?.session?.notes.size ?? state?.notes.size ?? 0;
        return { ...common, kind, counts: { ...(state?.counts ?? this.#first.state.counts), notes } };
      }
      case 'upload':
        return { ...common, kind, file: this.#file() };
      default:
        return { ...common, kind };
    }
  }

  #pickKind(): CollectionRequest['kind'] {
    const kinds = Object.entries(weights) as [CollectionRequest['kind'], number][];
    let rest = this.#dice.next() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of kinds) {
      rest -= weight;
      if (rest < 0) return kind;
    }
    return 'meta';
  }

  #mediaRequest(): MediaRequest {
    if (this.#dice.chance(0.4)) return { kind: this.#dice.pick(['mediaChanges', 'mediaSanity']) };
    const names = ['a.jpg', 'b.png', 'ä.gif', '日本.mp3'].filter(() => this.#dice.chance(0.5));
    return {
      kind: 'uploadChanges',
      changes: names.map((name) => [name, this.#dice.chance(0.3) ? null : `content ${this.#dice.integer(0, 3)}`]),
    };
  }

  #payloadOf(request: CollectionRequest): Uint8Array {
    switch (request.kind) {
      case 'upload':
        return request.file.bytes;
      case 'meta':
        return Buffer.from('{"v":11,"cv":"anki,26.09.3 (test),linux"}');
      case 'start':
        return Buffer.from('{"minUsn":0,"lnewer":true,"graves":null}');
      case 'applyChunk':
        return Buffer.from(
          JSON.stringify({ chunk: { done: true, notes: request.notes.map((note) => this.#noteRow(note)) } }),
        );
      case 'sanityCheck2':
        return Buffer.from(JSON.stringify({ client: sanityList(request.counts) }));
      default:
        return Buffer.from('{"_pad":null}');
    }
  }

  /** Both files have to have the notetype: its id is that of a note's. */
  #noteRow([id, mtime]: readonly [number, number]): unknown[] {
    const { id: notetype, fields } = this.#first.state.notetype;
    const texts = Array.from({ length: fields }, () => `${id} ${mtime}`).join('\x1f');
    return [id, `guid${id}`, notetype, mtime, 0, '', texts, '', '', 0, ''];
  }

  #file(): UploadFile {
    return this.#dice.pick(this.#files);
  }

  /** The account as a new device finds it is one that the model knows, and nothing in it is damaged. */
  async check(base: string): Promise<void> {
    const bytes = await this.#client.download();
    const { integrity } = await stateOfBytes(bytes);
    assert.equal(integrity, 'ok', this.name);
    const now = readCollection(bytes);
    const found = this.collection.some(
      (state) => state.usn + 1 === now.usn && state.scm === now.scm && notesText(state.notes) === notesText(now.notes),
    );
    assert.ok(
      found,
      `${this.name}: ${now.usn} ${notesText(now.notes)} is not ${this.collection.map(collectionText).join(' or ')}`,
    );
    const media = await new SyncDevice(this.#client).readMedia();
    const expected = this.media.map((state) =>
      changesOf(state).filter((entry) => Array.isArray(entry) && entry[2] !== ''),
    );
    assert.ok(
      expected.some(
        (entries) =>
          JSON.stringify(entries.map((entry) => (entry as string[])[0]).sort()) ===
          JSON.stringify(Object.keys(media).sort()),
      ),
      `${this.name}: media`,
    );
    assert.deepEqual(readdirSync(path.join(base, this.name, 'media')).sort(), Object.keys(media).sort());
  }
}

function newKey(): string {
  return `k${(++lastId).toString(36)}`;
}

function headerOf({ hostKey }: RawClient, device: number, key: string): string {
  return JSON.stringify({ v: 11, k: hostKey, c: `26.09.3,test,device${device}`, s: key });
}

function explain(asked: readonly Asked<CollectionRequest, Reply>[]): string {
  return asked
    .map(
      ({ request: { kind, key, device }, reply }) =>
        `${kind} ${key} of ${device}: ${reply === undefined ? 'left' : `${reply.status} ${reply.body.subarray(0, 100)}`}`,
    )
    .join('; ');
}

test(`${requestsWanted} requests of many devices at once, some of them broken off, are answered as if they had come one by one`, async (t) => {
  const dice = new Random(seed);
  const base = fastFolder('histories-');
  try {
    await using server = await InProcessServer.start(base, users);
    const file = await uploadFile('fresh-empty.anki2');
    const all = users.map((name) => new ModelledUser(name, dice, [file], server));
    await Promise.all(all.map((user) => user.begin()));
    let requests = 0;
    let rounds = 0;
    for (; requests < requestsWanted; rounds++) {
      const counts = await Promise.all(all.map((user) => user.round()));
      requests += counts.reduce((sum, count) => sum + count, 0);
      await server.settle();
      for (const user of all) user.conclude();
    }
    for (const user of all) await user.check(base);
    t.diagnostic(
      `seed ${seed}: ${requests} requests in ${rounds} rounds of about ${Math.round(requests / rounds)} at once`,
    );
    // The devices of this test differ now and then, and the machine may be slow; nothing else is worth a warning.
    const isExpected = (line: string) => /sanity check failed|finished late/.test(line);
    assert.deepEqual(server.troubles.filter((line) => !isExpected(line)).slice(0, 3), []);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
