import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readZipEntries } from '../support/media-messages.ts';
import { newSessionKey, type RawChunk, type RawClient, RawStatusError } from '../support/raw-client.ts';
import { writeZip } from '../support/write-zip.ts';
import { type Counts, type StoredState, stateOfBytes } from './stored-state.ts';

/** What a sync shall carry to the server. Ids are chosen by the caller, so that a repeated sync sends the same. */
export interface Changes {
  /** One note, one card of it and one review of that, all with this id. */
  readonly noteIds?: readonly number[];
  /** Notes with their cards that are deleted; their reviews stay. */
  readonly deletedNoteIds?: readonly number[];
  /** New decks: these change names, so that the collection has to be checked in. */
  readonly decks?: readonly { readonly id: number; readonly name: string }[];
  readonly tags?: readonly string[];
}

/** The media that a client sees: SHA-1 by name. */
export type MediaState = Readonly<Record<string, string>>;

/** A new content for a name, or null: the file is deleted. */
export type MediaChange = readonly [name: string, content: string | null];

/** The server's words for a user whose upload was not taken. */
export class UploadRefusedError extends Error {}

/** A client that holds nothing but what decides whether its next sync is a normal one: as strict as the real ones. */
export class SyncDevice {
  client: RawClient;
  /** Of the last successful sync; undefined before the first. */
  known: { usn: number; scm: number } | undefined;
  #state: StoredState | undefined;
  #counts: Counts | undefined;

  constructor(client: RawClient) {
    this.client = client;
  }

  /** What it had of the collection when it last moved it as a whole. */
  get state(): StoredState {
    if (this.#state === undefined) throw new Error('the device has no collection yet');
    return this.#state;
  }

  /** Takes over what another device of the account knows. */
  knowAs(state: StoredState, counts: Counts = state.counts): this {
    this.#state = state;
    this.#counts = { ...counts };
    this.known = { usn: state.usn, scm: state.scm };
    return this;
  }

  async upload(collection: Uint8Array, state: StoredState): Promise<void> {
    this.client.sessionKey = newSessionKey();
    const answer = await this.client.upload(collection);
    if (answer !== 'OK') throw new UploadRefusedError(answer);
    this.knowAs(state);
  }

  /** Downloads everything, and looks at it as closely as possible. */
  async download(): Promise<StoredState> {
    this.client.sessionKey = newSessionKey();
    const state = await stateOfBytes(await this.client.download());
    assert.equal(state.integrity, 'ok');
    this.knowAs(state);
    return state;
  }

  /** A whole sync. Fails if the server wants a full one, or if one of the two sides has lost anything. */
  async sync(changes: Changes = {}): Promise<void> {
    const { known } = this;
    if (known === undefined || this.#counts === undefined) throw new Error('the device has no collection yet');
    const { client } = this;
    client.sessionKey = newSessionKey();
    const meta = await client.meta();
    assert.equal(meta.scm, known.scm, 'a normal sync is possible');
    assert.ok(meta.usn >= known.usn, `the server knows what this device knows: usn ${meta.usn} >= ${known.usn}`);
    await client.start(known.usn, true);
    const deleted = changes.deletedNoteIds ?? [];
    await client.applyGraves({ notes: [...deleted], cards: [...deleted] });
    await client.applyChanges({
      decks: [(changes.decks ?? []).map((deck) => deckJson(deck, meta.usn)), []],
      tags: changes.tags ?? [],
      conf: {},
      crt: 1_600_000_000,
    });
    for (let done = false; !done; ) done = (await client.chunk()).done;
    await client.applyChunk(this.#chunk(changes.noteIds ?? [], meta.usn));
    const counts = this.#countsAfter(changes, this.#counts);
    const check = await client.sanityCheck(sanityList(counts));
    assert.equal(check.status, 'ok', `both sides hold the same: ${JSON.stringify(check)}`);
    await client.finish();
    this.#counts = counts;
    this.known = { usn: meta.usn + 1, scm: known.scm };
  }

  // Clients put the server's usn on what they send.
  #chunk(ids: readonly number[], usn: number): RawChunk {
    const { id: notetype, fields } = this.state.notetype;
    return {
      done: true,
      notes: ids.map((id) => {
        const texts = Array.from({ length: fields }, (_, field) => `field ${field} of ${id}`);
        return [id, `guid${id}`, notetype, Math.floor(id / 1000), usn, '', texts.join('\x1f'), '', '', 0, ''];
      }),
      cards: ids.map((id) => [id, id, 1, 0, Math.floor(id / 1000), usn, 2, 2, 10, 10, 2500, 1, 0, 0, 0, 0, 0, '']),
      revlog: ids.map((id) => [id, id, usn, 3, 10, 0, 2500, 5000, 1]),
    };
  }

  #countsAfter({ noteIds = [], deletedNoteIds = [], decks = [] }: Changes, before: Counts): Counts {
    const after = { ...before };
    after.notes += noteIds.length - deletedNoteIds.length;
    after.cards += noteIds.length - deletedNoteIds.length;
    after.revlog += noteIds.length;
    after.decks += decks.length;
    return after;
  }

  /** Sends media; all of it or nothing is stored. */
  async sendMedia(changes: readonly MediaChange[]): Promise<void> {
    const reply = await this.client.post('msync/uploadChanges', mediaZip(changes));
    if (reply.status !== 200) throw new RawStatusError('uploadChanges', reply);
    const { data, err } = JSON.parse(reply.body.toString()) as { data: [number, number]; err: string };
    assert.equal(err, '');
    assert.equal(data[0], changes.length);
  }

  /** What the server says it has. Every file must be there with exactly the bytes that the index promises. */
  async readMedia(): Promise<MediaState> {
    const { data } = (await this.client.call('msync/mediaChanges', { lastUsn: 0 })) as {
      data: [string, number, string][];
    };
    const present = data.filter(([, , sha1]) => sha1 !== '');
    const files = present.map(([name]) => name);
    const state: Record<string, string> = {};
    if (files.length > 0) {
      const reply = await this.client.post('msync/downloadFiles', JSON.stringify({ files }));
      if (reply.status !== 200) throw new RawStatusError('downloadFiles', reply);
      const entries = await readZipEntries(reply.body);
      const meta = JSON.parse(entries.find(({ name }) => name === '_meta')?.content.toString() ?? '{}');
      for (const { name, content } of entries.filter((entry) => entry.name !== '_meta')) {
        state[String(meta[name])] = sha1Of(content);
      }
    }
    assert.deepEqual(
      state,
      Object.fromEntries(present.map(([name, , sha1]) => [name, sha1])),
      'every file is there with the bytes that the index promises',
    );
    return state;
  }
}

export function sha1Of(content: string | Uint8Array): string {
  return createHash('sha1').update(content).digest('hex');
}

export function mediaZip(changes: readonly MediaChange[]): Buffer {
  const meta = changes.map(([name, content], index) => [name, content === null ? null : String(index)]);
  const entries = changes.flatMap(([, content], index) =>
    content === null ? [] : [[String(index), Buffer.from(content)] as const],
  );
  return writeZip([...entries, ['_meta', Buffer.from(JSON.stringify(meta))]]);
}

/** What is left of media after changes. */
export function mediaAfter(state: MediaState, changes: readonly MediaChange[]): MediaState {
  const after: Record<string, string> = { ...state };
  for (const [name, content] of changes) {
    if (content === null) delete after[name];
    else after[name] = sha1Of(content);
  }
  return after;
}

/** The list that clients send in their sanity check; the first three and the fifth number are not compared. */
export function sanityList({ cards, notes, revlog, notetypes, decks, deckConfigs }: Counts): unknown[] {
  return [[0, 0, 0], cards, notes, revlog, 0, notetypes, decks, deckConfigs];
}

function deckJson({ id, name }: { readonly id: number; readonly name: string }, usn: number): Record<string, unknown> {
  const today = [0, 0];
  return {
    id,
    name,
    mod: Math.floor(id / 1000),
    usn,
    lrnToday: today,
    revToday: today,
    newToday: today,
    timeToday: today,
    collapsed: false,
    browserCollapsed: false,
    desc: '',
    dyn: 0,
    conf: 1,
    extendNew: 0,
    extendRev: 0,
  };
}
