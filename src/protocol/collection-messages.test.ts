import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { JsonFloat, type JsonObject, type JsonValue, stringifyJson } from '../collection/format/json.ts';
import { SyncError, type SyncErrorCode } from '../errors.ts';
import { TestSession } from './testing/test-session.ts';

const noChanges = { models: [], decks: [[], []], tags: [] };
const wrongCounts = { client: [[0, 0, 0], 9, 9, 9, 0, 9, 9, 9] };

function refusedWith(code: SyncErrorCode, pattern: RegExp) {
  return (error: unknown) => error instanceof SyncError && error.code === code && pattern.test(error.message);
}

/** Everything that a device which knows nothing is told; the sync is undone afterwards. */
function pullAll(session: TestSession) {
  const graves = session.send('start', { minUsn: 0, lnewer: false });
  const changes = session.send('applyChanges', { changes: noChanges }) as JsonObject;
  const rows: Record<'revlog' | 'cards' | 'notes', JsonValue[]> = { revlog: [], cards: [], notes: [] };
  for (let done = false; !done; ) {
    const chunk = session.send('chunk', {}) as JsonObject;
    for (const kind of ['revlog', 'cards', 'notes'] as const) rows[kind].push(...((chunk[kind] ?? []) as JsonValue[]));
    done = chunk['done'] === true;
  }
  session.send('abort', {});
  return { graves, changes, ...rows };
}

/** Runs a whole sync that sends these things. */
function push(
  session: TestSession,
  content: { changes?: JsonObject; chunk?: JsonObject; graves?: JsonObject },
): JsonValue {
  session.send('start', { minUsn: 0, lnewer: true });
  if (content.graves !== undefined) session.send('applyGraves', { chunk: content.graves });
  session.send('applyChanges', { changes: { ...noChanges, ...content.changes } });
  session.send('applyChunk', { chunk: { done: true, ...content.chunk } });
  return session.send('finish', {});
}

const meta = (session: TestSession) => session.send('meta', { v: 11, cv: 'test' }) as JsonObject;

test('what a device is told and sends back unchanged changes nothing but usn', () => {
  using session = new TestSession('rich.anki2');
  const before = pullAll(session);
  const { models, decks, tags, conf } = before.changes;
  push(session, {
    changes: { models: models ?? [], decks: decks ?? [], tags: tags ?? [], conf: conf ?? {} },
    chunk: { revlog: before.revlog, cards: before.cards, notes: before.notes },
  });
  const after = pullAll(session);
  const withoutUsn = (value: JsonObject) => stringifyJson(value).replaceAll(/"usn":\d+/g, '');
  assert.equal(withoutUsn(after.changes), withoutUsn(before.changes));
  assert.equal(session.collection.needsCheckIn, false, 'no name was written, so the file stays as Anki reads it');
});

test('finish answers the new modification time and raises the usn by one', () => {
  using session = new TestSession('rich.anki2');
  const before = meta(session);
  const mtimeMs = push(session, {});
  const after = meta(session);
  assert.deepEqual([after['mod'], after['usn'], after['scm']], [mtimeMs, Number(before['usn']) + 1, before['scm']]);
});

test('the modification time rises even when the clock runs backwards', () => {
  using session = new TestSession('rich.anki2');
  const first = push(session, {});
  session.nowMs -= 3_600_000;
  assert.equal(push(session, {}), Number(first) + 1);
});

for (const [ending, end] of [
  ['an abort', (session: TestSession) => session.send('abort', {})],
  [
    'the start of another device',
    (session: TestSession) => session.send('start', { minUsn: 0, lnewer: false }, 'other'),
  ],
  ['a failed sanity check', (session: TestSession) => session.send('sanityCheck2', wrongCounts)],
  ['a complaint of an old client', (session: TestSession) => session.send('sanityCheck2', { client: 'missing notes' })],
  [
    'a note without notetype',
    (session: TestSession) =>
      assert.throws(
        () => session.send('applyChunk', { chunk: { notes: [[1, 'g', 12345, 1, 0, '', 'x', '', '', 0, '']] } }),
        refusedWith('collectionInconsistent', /its notetype 12345 is missing/),
      ),
  ],
] as const) {
  test(`${ending} undoes everything that the sync did`, () => {
    using session = new TestSession('rich.anki2');
    const before = pullAll(session);
    session.send('start', { minUsn: 0, lnewer: true });
    session.send('applyGraves', { chunk: { cards: [1], notes: [2], decks: [1] } });
    session.send('applyChanges', { changes: { ...noChanges, tags: ['brand::new'], conf: { only: 1 }, crt: 5 } });
    session.send('applyChunk', { chunk: { revlog: [[77, 1, 0, 1, 1, 1, 1, 1, 1]] } });
    end(session);
    session.send('abort', {}, session.sessionKey === 'other' ? session.sessionKey : 'other');
    assert.throws(() => session.send('chunk', {}), refusedWith('syncConflict', /no sync is active|another sync/));
    session.collection.abandon('closed', 'the test goes on');
    assert.deepEqual(pullAll(session), before);
  });
}

test('others see the last committed state while a sync runs, and it goes on undisturbed', () => {
  using session = new TestSession('rich.anki2');
  const before = meta(session);
  session.send('start', { minUsn: 0, lnewer: true }, 'phone');
  session.send('applyGraves', { chunk: { cards: [1], notes: [], decks: [] } }, 'phone');
  const during = meta(session);
  assert.deepEqual({ ...during, ts: 0 }, { ...before, ts: 0 });
  session.send('chunk', {}, 'phone');
});

test('a device that builds on a stale answer is sent back before it sends anything', () => {
  using session = new TestSession('rich.anki2');
  session.send('meta', { v: 11, cv: 'phone' }, 'phone');
  push(session, {});
  assert.throws(
    () => session.send('start', { minUsn: 0, lnewer: true }, 'phone'),
    refusedWith('syncConflict', /another device has synced/),
  );
});

test('a client that has seen more than the collection holds gets a full sync next: an older copy was restored', () => {
  using session = new TestSession('rich.anki2');
  const before = meta(session);
  session.send('start', { minUsn: Number(before['usn']) + 1, lnewer: true });
  session.send('finish', {});
  assert.notEqual(meta(session)['scm'], before['scm']);
});

test('a deletion is recorded with the usn of the latest sync that named it', () => {
  using session = new TestSession('rich.anki2');
  const [card] = pullAll(session).cards as JsonValue[][];
  const id = card?.[0] ?? 0;
  push(session, { graves: { cards: [id], notes: [], decks: [] } });
  push(session, { chunk: { cards: [card ?? []] } });
  const usn = Number(meta(session)['usn']);
  push(session, { graves: { cards: [id], notes: [], decks: [] } });
  assert.deepEqual(session.send('start', { minUsn: usn, lnewer: false }), { cards: [id], decks: [], notes: [] });
});

test('ids of 64 bits survive a sync there and back', () => {
  using session = new TestSession('rich.anki2');
  const id = 9007199254740993n;
  const card = [id, id + 2n, 1, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, -(2n ** 63n), 0, '{"pos":1}'];
  push(session, { chunk: { cards: [card], revlog: [[id, id, 0, 1, 1, 1, 1, 1, 1]] } });
  const pulled = pullAll(session);
  const stored = (pulled.cards as JsonValue[][]).find((row) => row[0] === id);
  assert.deepEqual(stored?.with(5, 0), card);
  assert.ok((pulled.revlog as JsonValue[][]).some((row) => row[0] === id && row[1] === id));
});

test('the same deck name from two devices ends as two decks, the later one marked with a plus', () => {
  using session = new TestSession('rich.anki2');
  const [decks] = pullAll(session).changes['decks'] as JsonValue[][];
  const [template] = decks?.filter((deck) => (deck as JsonObject)['dyn'] === 0) ?? [];
  const twin = { ...(template as JsonObject), id: 77, name: String((template as JsonObject)['name']).toUpperCase() };
  push(session, { changes: { decks: [[twin], []] } });
  const after = (pullAll(session).changes['decks'] as JsonValue[][])[0] as JsonObject[];
  assert.equal(after.find((deck) => deck['id'] === 77)?.['name'], `${twin.name}+`);
  assert.equal(session.collection.needsCheckIn, true, 'a name was written');
});

test('a tag keeps its spelling, and a new one takes the spelling of its stored ancestor', () => {
  using session = new TestSession('fresh-server.anki2');
  push(session, { changes: { tags: ['Ärzte::Neu'] } });
  push(session, { changes: { tags: ['ärzte::neu', 'ärzte::NEU::drei', 'a b　c'] } });
  assert.deepEqual(
    (pullAll(session).changes['tags'] as string[]).toSorted(),
    ['Ärzte::Neu', 'Ärzte::Neu::drei', 'abc'].toSorted(),
  );
});

test('a notetype with another number of fields needs a full sync; with other contents it does not', () => {
  using session = new TestSession('rich.anki2');
  const [notetype] = pullAll(session).changes['models'] as JsonObject[];
  const fields = (notetype?.['flds'] ?? []) as JsonObject[];
  const mod = Number(notetype?.['mod']) + 1;
  push(session, { changes: { models: [{ ...notetype, css: '.new {}', mod }] } });
  const stored = (pullAll(session).changes['models'] as JsonObject[]).find((one) => one['id'] === notetype?.['id']);
  assert.equal(stored?.['css'], '.new {}');
  assert.throws(
    () => push(session, { changes: { models: [{ ...notetype, mod, flds: fields.slice(1) }] } }),
    refusedWith('collectionInconsistent', /takes a full sync/),
  );
});

test('a notetype that is older than the stored one is skipped, whatever is wrong with it', () => {
  using session = new TestSession('rich.anki2');
  const models = pullAll(session).changes['models'] as JsonObject[];
  const notetype = models.find((one) => (one['flds'] as JsonObject[]).length > 1);
  const twins = ((notetype?.['flds'] ?? []) as JsonObject[]).map((field) => ({ ...field, name: 'twin' }));
  const mod = Number(notetype?.['mod']);
  push(session, { changes: { models: [{ ...notetype, mod: mod - 1, flds: twins }] } });
  assert.throws(
    () => push(session, { changes: { models: [{ ...notetype, mod: mod + 1, flds: twins }] } }),
    refusedWith('collectionInconsistent', /twin/),
  );
});

test('a time beyond all times is cut to the largest exact one', () => {
  using session = new TestSession('fresh-server.anki2');
  const card = [5, 6, 1, 0, new JsonFloat(1e300), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, ''];
  push(session, { chunk: { cards: [card] } });
  assert.equal((pullAll(session).cards as JsonValue[][])[0]?.[4], Number.MAX_SAFE_INTEGER);
});

test('config keys that JavaScript gives a meaning to are ordinary keys', () => {
  using session = new TestSession('fresh-server.anki2');
  const conf = JSON.parse('{"__proto__":{"a":1},"constructor":[],"toString":"x","":2,"10":3}') as JsonObject;
  push(session, { changes: { conf } });
  session.send('start', { minUsn: 0, lnewer: false });
  const stored = (session.send('applyChanges', { changes: noChanges }) as JsonObject)['conf'] as JsonObject;
  for (const key of Object.keys(conf))
    assert.deepEqual(Object.getOwnPropertyDescriptor(stored, key)?.value, conf[key], key);
});

test('versions of the protocol that are too old or too new are told to update', () => {
  using session = new TestSession('rich.anki2');
  for (const v of [0, 7, 12, 255]) {
    assert.throws(
      () => session.send('meta', { v, cv: 'anki,1.0' }),
      refusedWith('clientTooOld', /the client is anki,1\.0/),
    );
  }
});

test('messages between start and finish need a session key; one that does not parse leaves the sync alone', () => {
  using session = new TestSession('rich.anki2');
  session.send('start', { minUsn: 0, lnewer: true });
  assert.throws(() => session.send('chunk', {}, ''), refusedWith('malformedRequest', /no session key/));
  assert.throws(
    () => session.send('applyChunk', { chunk: { cards: [[1, 2]] } }),
    refusedWith('malformedRequest', /card/),
  );
  assert.throws(
    () => session.send('applyGraves', { chunk: { cards: [] } }),
    refusedWith('malformedRequest', /decks is not a list/),
  );
  session.send('chunk', {});
});

test('when there is much to fetch, chunks grow, and still hold every object once, the newest first', () => {
  using session = new TestSession('rich.anki2');
  const before = pullAll(session).revlog.length;
  const count = 9_000;
  const review = (at: number) => [1_900_000_000_000 + at, 1, 3, 3, 10, 0, 2500, 5000, 1];
  push(session, { chunk: { revlog: Array.from({ length: count }, (_, at) => review(at)) } });
  session.send('start', { minUsn: 0, lnewer: false });
  const chunks: JsonObject[] = [];
  do chunks.push(session.send('chunk', {}) as JsonObject);
  while (chunks.at(-1)?.['done'] === false);
  const sizes = chunks.map((chunk) =>
    ['revlog', 'cards', 'notes'].map((kind) => (chunk[kind] as JsonValue[] | undefined)?.length ?? 0),
  );
  const totals = sizes.map((kinds) => kinds.reduce((sum, each) => sum + each));
  assert.deepEqual(
    totals.slice(0, 8).map((total) => Math.floor(total / 250)),
    [1, 1, 1, 1, 2, 4, 8, 8],
  );
  assert.ok(Math.max(...totals) <= 8 * 252);
  const ids = chunks.flatMap((chunk) => (chunk['revlog'] ?? []) as number[][]).map(([id]) => Number(id));
  assert.equal(new Set(ids).size, count + before);
  assert.deepEqual(
    ids.slice(0, count),
    Array.from({ length: count }, (_, at) => 1_900_000_000_000 + count - 1 - at),
  );
});

test('long notes count by their bytes: a grown chunk of them ends early', () => {
  using session = new TestSession('rich.anki2');
  const { notes } = pullAll(session);
  const [first] = notes as JsonValue[][];
  assert.ok(first);
  const long = String(first[6]).split('\x1f').fill('x'.repeat(2_000)).join('\x1f');
  const made = Array.from({ length: 3_000 }, (_, at) =>
    first
      .with(0, 1_900_000_000_000 + at)
      .with(1, `guid${at}`)
      .with(4, 3)
      .with(6, long),
  );
  push(session, { chunk: { notes: made } });
  session.send('start', { minUsn: 0, lnewer: false });
  const sizes: number[] = [];
  for (let done = false; !done; ) {
    const chunk = session.send('chunk', {}) as JsonObject;
    sizes.push(stringifyJson(chunk).length);
    done = chunk['done'] === true;
  }
  const portion = 252 * (long.length + 200);
  assert.ok(Math.max(...sizes) <= 512 * 1024 + portion, `${Math.max(...sizes)} bytes in one chunk`);
});

test('cards and notes that are replaced are found by every index, also when a card moves to another note', () => {
  using session = new TestSession('rich.anki2');
  const { cards, notes } = pullAll(session) as Record<'cards' | 'notes', JsonValue[][]>;
  const [first, second, third] = cards;
  assert.ok(first && second && third && first[1] !== third[1]);
  const [note] = notes;
  assert.ok(note);
  const soon = Math.floor(session.nowMs / 1000) + 60;
  const moved = first.with(1, third[1] ?? 0).with(4, soon);
  const studied = second.with(4, soon).with(8, 12_345).with(16, 3);
  const edited = note.with(3, soon).with(1, 'new guid');
  push(session, {
    chunk: {
      cards: [moved, studied, moved.with(8, 777)],
      notes: [edited],
    },
  });
  const after = pullAll(session);
  const cardOf = (id: JsonValue | undefined) => (after.cards as JsonValue[][]).find((row) => row[0] === id);
  assert.deepEqual(cardOf(first[0]), moved, 'the second version is as old as the first, which stays');
  assert.deepEqual(cardOf(second[0]), studied);
  assert.equal((after.notes as JsonValue[][]).find((row) => row[0] === note[0])?.[1], 'new guid');
  session.collection.close();
  using db = new DatabaseSync(session.collection.folder.collection, { readOnly: true });
  for (const table of ['cards', 'notes', 'revlog']) {
    assert.equal(db.prepare(`PRAGMA integrity_check(${table})`).get()?.['integrity_check'], 'ok');
  }
  const byNote = db.prepare('SELECT id FROM cards INDEXED BY ix_cards_nid WHERE nid = ? AND id = ?');
  assert.notEqual(byNote.get(Number(third[1]), Number(first[0])), undefined);
  assert.equal(byNote.get(Number(first[1]), Number(first[0])), undefined);
});
