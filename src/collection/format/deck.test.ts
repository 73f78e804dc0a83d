import assert from 'node:assert/strict';
import test from 'node:test';
import { Statements } from '../../storage/exact-rows.ts';
import { configIdOfDeck, type Deck, deckFromJson, deckToJson } from './deck.ts';
import { FormatError } from './format-error.ts';
import { JsonFloat, type JsonObject, type JsonValue, parseJson, stringifyJson } from './json.ts';
import { DeckCommonSchema } from './proto/collection_pb.ts';
import { readDecks } from './stored-objects.ts';
import { bytesOf, hexOf, hexWithSortedKeys } from './testing/bytes.ts';
import { collections18, comparable, handedOut, openCollection, readHandedOut } from './testing/fixtures.ts';

for (const { name, file } of handedOut) {
  test(`the decks of "${name}" are handed out as by the official server`, () => {
    using db = openCollection(file);
    const ours = readDecks(new Statements(db))
      .filter((one) => one.usn >= 0)
      .map(deckToJson);
    assert.deepEqual(comparable(ours), comparable(readHandedOut(name, 'decks')));
  });
}

test('every deck of real collections comes back from JSON with the same bytes', () => {
  for (const name of collections18) {
    using db = openCollection(name);
    for (const stored of readDecks(new Statements(db))) {
      assert.deepEqual(plain(deckFromJson(deckToJson(stored))), plain(stored), `${name}: ${stored.name}`);
    }
  }
});

test('the default deck is read as the specification says', () => {
  const deck = { ...empty, id: 1n, name: 'Default', common: bytesOf('08 01 10 01'), kind: bytesOf('0A 02 08 01') };
  assert.equal(
    stringifyJson(deckToJson(deck)),
    '{"id":1,"mod":0,"name":"Default","usn":0,"lrnToday":[0,0],"revToday":[0,0],"newToday":[0,0],"timeToday":[0,0],' +
      '"collapsed":true,"browserCollapsed":true,"desc":"","dyn":0,"conf":1,"extendNew":0,"extendRev":0,' +
      '"reviewLimit":null,"newLimit":null,"reviewLimitToday":null,"newLimitToday":null,"desiredRetention":null}',
  );
});

test('counts, limits and retention are read as the specification says', () => {
  const deck: Deck = {
    ...{ id: 5n, name: 'A\x1fB', mtimeSecs: 7, usn: -1 },
    common: bytesOf('08 01 18 78 20 03 28 FF FF FF FF FF FF FF FF FF 01 30 02 38 C8 DC 03'),
    kind: bytesOf('0A 15 08 01 10 05 22 02 68 69 30 00 42 04 08 1E 10 78 55 14 AE 07 3F'),
  };
  assert.equal(
    stringifyJson(deckToJson(deck)),
    '{"id":5,"mod":7,"name":"A::B","usn":-1,"lrnToday":[120,2],"revToday":[120,-1],"newToday":[120,3],' +
      '"timeToday":[120,61000],"collapsed":true,"browserCollapsed":false,"desc":"hi","dyn":0,"conf":1,"extendNew":5,' +
      '"extendRev":0,"reviewLimit":0,"newLimit":null,"reviewLimitToday":{"limit":30,"today":120},' +
      '"newLimitToday":null,"desiredRetention":52}',
  );
  assert.deepEqual(plain(deckFromJson({ ...deckToJson(deck), desiredRetention: 53 })), plain(deck));
});

test('a filtered deck is read as the specification says', () => {
  const kind = bytesOf('12 18 08 01 12 0C 0A 06 69 73 3A 64 75 65 10 64 18 06 1A 04 00 00 C0 3F 38 3C');
  const json = deckToJson({ ...empty, kind });
  assert.ok(
    stringifyJson(json).endsWith(
      '"dyn":1,"resched":true,"terms":[["is:due",100,6]],"separate":true,"delays":[1.5],"previewDelay":0,' +
        '"previewAgainSecs":60,"previewHardSecs":0,"previewGoodSecs":0}',
    ),
  );
  assert.equal(hexOf(deckFromJson(json).kind), hexOf(kind));
});

test('of the retentions with two decimals, 0.53 and 0.59 lose one percent, as in Anki', () => {
  const lost: number[] = [];
  for (let percent = 0; percent <= 100; percent++) {
    const json = deckToJson(deckFromJson({ ...normal, desiredRetention: percent }));
    if (json.desiredRetention !== percent) lost.push(percent);
  }
  assert.deepEqual(lost, [53, 59]);
  assert.equal(deckToJson({ ...empty, kind: bytesOf('0A 05 55 00 00 C0 7F') }).desiredRetention, 0);
  assert.equal(deckToJson({ ...empty, kind: bytesOf('0A 05 55 00 00 80 7F') }).desiredRetention, 2 ** 32 - 1);
});

test('counts belong to the latest of three days; the time is kept whatever its day', () => {
  const json = { ...normal, lrnToday: [9, 1], revToday: [7, 2], newToday: [8, 3], timeToday: [6, 4] };
  const { lrnToday, revToday, newToday, timeToday } = deckToJson(deckFromJson(json));
  assert.deepEqual(
    [lrnToday, revToday, newToday, timeToday],
    [
      [8, 0],
      [8, 0],
      [8, 3],
      [8, 4],
    ],
  );
  const odd = {
    ...normal,
    newToday: [1, 2, -3, 4],
    revToday: [new JsonFloat(5), '7'],
    lrnToday: [],
    timeToday: [2 ** 32 + 6],
  };
  const back = deckToJson(deckFromJson(odd));
  assert.deepEqual(
    [back.newToday, back.revToday, back.timeToday],
    [
      [0, 0],
      [0, 0],
      [0, 6],
    ],
  );
});

test('a name gets its native form, every level cleaned', () => {
  assert.equal(deckFromJson({ ...normal, name: ' A:::B:x: ' }).name, 'A\x1fB:x');
  assert.equal(deckFromJson({ ...normal, name: 'A::::C\x1f' }).name, 'A\x1fblank\x1fC');
});

test('unknown keys survive; those that belong to the other kind of deck do so in one direction', () => {
  const json = parseJson(
    '{"id":"7","name":"f","usn":0,"lrnToday":[],"revToday":[],"newToday":[],"timeToday":[],"collapsed":false,"dyn":true,' +
      '"resched":"1","terms":[["is:due","20",6]],"delays":[1,2.5],"return":true,"conf":5,"zz":{"b":1.0,"a":null}}',
  );
  const back = deckToJson(deckFromJson(json));
  assert.deepEqual(comparable(back.zz ?? null), comparable(parseJson('{"b":1.0,"a":null}')));
  assert.deepEqual([back.id, back.dyn, back.resched, back.conf, back.return], [7, 1, true, undefined, undefined]);
  const nowNormal = deckToJson(deckFromJson({ ...normal, resched: true, separate: 5 }));
  assert.deepEqual([nowNormal.resched, nowNormal.separate], [true, 5]);
});

test('a real key is never written twice, whatever stands among the unknown ones', () => {
  const common = Buffer.concat([bytesOf('FA 0F 23'), Buffer.from('{"md":5,"delays":"x","id":9,"zz":1}')]);
  const json = deckToJson({ ...empty, kind: bytesOf('12 00'), common });
  assert.deepEqual([json.md, json.delays, json.id, json.zz], [undefined, null, 5, 1]);
});

test('what a newer release stored about a deck survives a change by an older one', () => {
  const stored = deckFromJson({ ...normal, newLimitToday: { limit: 1, today: 2 } });
  const newer: Deck = {
    ...stored,
    common: bytesOf(`${hexOf(stored.common)} 98 06 07`),
    kind: bytesOf('0A 0E 08 01 4A 07 08 01 10 02 98 06 07 98 06 08'),
  };
  const next = deckFromJson({ ...normal, desc: 'x', newLimitToday: { limit: 3, today: 2 } }, newer);
  assert.equal(hexOf(next.common), hexOf(newer.common));
  assert.equal(hexOf(next.kind), hexOf(bytesOf('0A 11 08 01 22 01 78 4A 07 08 03 10 02 98 06 07 98 06 08')));
});

test('JSON has no NaN: delays with one are left out', () => {
  assert.equal(deckToJson({ ...empty, kind: bytesOf('12 06 1A 04 00 00 C0 7F') }).delays, null);
});

test('a deck of no kind is refused', () => {
  assert.throws(() => deckToJson({ ...empty, kind: bytesOf('') }), FormatError);
  assert.throws(() => deckToJson({ ...empty, kind: bytesOf('18 01') }), FormatError);
  assert.equal(deckToJson({ ...empty, kind: bytesOf('0A 00') }).conf, 0);
});

test('only normal decks use a deck config', () => {
  assert.equal(configIdOfDeck({ id: 1n, kind: bytesOf('0A 02 08 07') }), 7n);
  assert.equal(configIdOfDeck({ id: 1n, kind: bytesOf('12 00') }), undefined);
});

test('what clients could not parse is refused, what they bend is bent', () => {
  const required = ['id', 'name', 'usn', 'lrnToday', 'revToday', 'newToday', 'timeToday', 'collapsed', 'dyn', 'conf'];
  const refused: JsonObject[] = [
    ...required.map((key) => withoutKey(normal, key)),
    ...['resched', 'terms'].map((key) => withoutKey(filtered, key)),
    ...changes(normal, 'id', ['', null, 1.5, 2n ** 63n, 0, '0']),
    ...changes(normal, 'dyn', ['1', null, new JsonFloat(1), -1, 256]),
    ...changes(normal, 'mod', [null, new JsonFloat(1)]),
    ...changes(normal, 'collapsed', [0, null]),
    ...changes(normal, 'desc', [null]),
    ...changes(normal, 'md', [1]),
    ...changes(normal, 'conf', [null, '1.0']),
    ...changes(normal, 'newToday', [null, 5]),
    ...changes(filtered, 'terms', [
      null,
      [['a', 1]],
      [['a', 1, 2, 3]],
      [[1, 1, 1]],
      [['a', new JsonFloat(1), 1]],
      [['a', 2 ** 31, 1]],
    ]),
    ...changes(filtered, 'resched', [null, 2]),
    ...changes(filtered, 'previewDelay', [null, -1]),
    ...changes(filtered, 'separate', [1]),
  ];
  for (const json of refused) assert.throws(() => deckFromJson(json), FormatError, stringifyJson(json));
  const bent: [JsonObject[], string, JsonValue][] = [
    [changes(normal, 'dyn', [0, 2, 255, false]), 'dyn', 0],
    [changes(normal, 'extendNew', [-5, null, '3', new JsonFloat(3)]), 'extendNew', 0],
    [changes(normal, 'newLimit', ['3', -1, new JsonFloat(3)]), 'newLimit', null],
    [changes(normal, 'newLimitToday', [{ limit: 1 }, [1], 5, { limit: -1, today: 2 }]), 'newLimitToday', null],
    [
      changes(normal, 'newLimitToday', [[1, 2], { limit: 1, today: 2, more: 3 }]),
      'newLimitToday',
      { limit: 1, today: 2 },
    ],
    [changes(normal, 'desiredRetention', [new JsonFloat(0.9), '90', -1]), 'desiredRetention', null],
    [changes(filtered, 'delays', [5, ['1'], [null], []]), 'delays', null],
    [changes(filtered, 'separate', [false]), 'separate', true],
    [changes(filtered, 'terms', [[['a', '-5', 3]]]), 'terms', [['a', 0, 3]]],
    [changes(filtered, 'desc', ['lost']), 'desc', ''],
  ];
  for (const [jsons, key, value] of bent) {
    for (const json of jsons) assert.deepEqual(deckToJson(deckFromJson(json))[key], value, stringifyJson(json));
  }
});

const empty: Deck = {
  id: 5n,
  name: 'd',
  mtimeSecs: 0,
  usn: 0,
  common: new Uint8Array(0),
  kind: bytesOf('0A 00'),
};

const shared: JsonObject = {
  ...{ id: 5, mod: 7, name: 'd', usn: 1, collapsed: false },
  ...{ lrnToday: [0, 0], revToday: [0, 0], newToday: [0, 0], timeToday: [0, 0] },
};
const normal: JsonObject = { ...shared, dyn: 0, conf: 1 };
const filtered: JsonObject = { ...shared, dyn: 1, resched: true, terms: [] };

function plain(deck: Deck): unknown {
  return { ...deck, common: hexWithSortedKeys(DeckCommonSchema, deck.common), kind: hexOf(deck.kind) };
}

function withoutKey(json: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(json).filter(([one]) => one !== key));
}

function changes(json: JsonObject, key: string, values: JsonValue[]): JsonObject[] {
  return values.map((value) => ({ ...json, [key]: value }));
}
