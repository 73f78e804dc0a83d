import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '../collection/format/json.ts';
import { TestSession } from './testing/test-session.ts';

const none = { models: [], decks: [[], []], tags: [] };

/** A device that keeps what decides over its syncs: the usn, and the counts as the server has them. */
class Device {
  readonly #session: TestSession;
  #usn = 0;

  constructor(session: TestSession) {
    this.#session = session;
  }

  /** A whole sync with a comparison of both sides. Returns the small objects that came. */
  sync(changes: JsonObject | ((usn: number) => JsonObject) = {}): JsonObject {
    const session = this.#session;
    const { usn } = session.send('meta', { v: 11, cv: 'test' }) as { usn: number };
    const sent = typeof changes === 'function' ? changes(usn) : changes;
    session.send('start', { minUsn: this.#usn, lnewer: true });
    const answer = session.send('applyChanges', { changes: { ...none, ...sent } }) as JsonObject;
    session.send('applyChunk', { chunk: { done: true } });
    // A first try finds out what the server counts: it undoes the sync, so the second try is the real one.
    const check = session.send('sanityCheck2', {
      client: this.counts ?? [[0, 0, 0], 9, 9, 9, 0, 9, 9, 9],
    }) as JsonObject;
    if (check['status'] !== 'ok') {
      this.counts = check['s'] as JsonValue[];
      return this.sync(changes);
    }
    session.send('finish', {});
    this.#usn = usn + 1;
    return answer;
  }

  counts: JsonValue[] | undefined;
}

function deckNamed(answer: JsonObject, name: string): JsonObject | undefined {
  const [decks] = answer['decks'] as [JsonObject[]];
  return decks.find((deck) => deck['name'] === name);
}

test('a device that was away gets each small object once, however many empty syncs lie between', () => {
  using session = new TestSession('rich.anki2');
  const [phone, laptop] = [new Device(session), new Device(session)];
  phone.sync();
  laptop.sync();
  for (const round of [1, 2, 3]) {
    for (let quiet = 0; quiet < round; quiet++) assert.deepEqual(phone.sync(), none);
    laptop.counts = undefined;
    laptop.sync({ tags: [`tag${round}`] });
    phone.counts = undefined;
    assert.deepEqual(phone.sync(), { ...none, tags: [`tag${round}`] });
    assert.deepEqual(phone.sync(), none);
  }
});

test('a changed deck reaches the other device although the one before found nothing new', () => {
  using session = new TestSession('rich.anki2');
  const [phone, laptop] = [new Device(session), new Device(session)];
  const [decks] = phone.sync()['decks'] as [JsonObject[]];
  const deck = decks.find(({ dyn }) => dyn === 0);
  assert.ok(deck);
  laptop.sync();
  phone.sync();
  laptop.sync((usn) => ({ decks: [[{ ...deck, mod: Number(deck['mod']) + 1000, desc: 'changed', usn }], []] }));
  assert.equal(deckNamed(phone.sync(), String(deck['name']))?.['desc'], 'changed');
  assert.deepEqual(laptop.sync(), none);
});

test('objects that were marked as unsent are found in syncs that change nothing', () => {
  using session = new TestSession('rich.anki2');
  const phone = new Device(session);
  phone.sync();
  phone.sync();
  session.send('start', { minUsn: 0, lnewer: true });
  session.send('applyChanges', { changes: { ...none, tags: ['unsent'] } });
  const cards = [[1, 1, 1, 0, 1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '']];
  session.send('applyChunk', { chunk: { done: true, cards } });
  const check = session.send('sanityCheck2', { client: [[0, 0, 0], 9, 9, 9, 0, 9, 9, 9] }) as JsonObject;
  assert.deepEqual([check['status'], check['s']], ['bad', null]);
});
