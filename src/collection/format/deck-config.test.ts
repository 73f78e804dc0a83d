import assert from 'node:assert/strict';
import test from 'node:test';
import { Statements } from '../../storage/exact-rows.ts';
import { decodeBlob, encodeBlob } from './blobs.ts';
import { type DeckConfig, deckConfigFromJson, deckConfigToJson } from './deck-config.ts';
import { replaceForbiddenNumbers } from './deck-config-limits.ts';
import { FormatError } from './format-error.ts';
import { isJsonObject, JsonFloat, type JsonObject, type JsonValue, parseJson, stringifyJson } from './json.ts';
import { DeckConfigConfigSchema } from './proto/collection_pb.ts';
import { readDeckConfigs } from './stored-objects.ts';
import { bytesOf, hexOf, hexWithSortedKeys } from './testing/bytes.ts';
import { collections18, comparable, handedOut, openCollection, readHandedOut } from './testing/fixtures.ts';

const newConfig = bytesOf(
  '0A 08 00 00 80 3F 00 00 20 41 12 04 00 00 20 41 22 1C 00 00 80 3F 00 00 80 3F 00 00 80 3F 00 00 80 3F 00 00 80 3F ' +
    '00 00 80 3F 00 00 80 3F 48 14 50 C8 01 5D 00 00 20 40 65 66 66 A6 3F 6D 9A 99 99 3F 7D 00 00 80 3F 80 01 94 9D 02 ' +
    '88 01 01 90 01 01 98 01 04 A8 01 01 B0 01 08 C0 01 3C AD 02 66 66 66 3F C5 02 66 66 66 3F E0 02 01',
);
const newConfigText =
  '{"id":1,"mod":0,"name":"Default","usn":0,"maxTaken":60,"autoplay":true,"timer":0,"replayq":true,' +
  '"new":{"bury":false,"delays":[1.0,10.0],"initialFactor":2500,"ints":[1,4,0],"order":1,"perDay":20},' +
  '"rev":{"bury":false,"ease4":1.3,"ivlFct":1.0,"maxIvl":36500,"perDay":200,"hardFactor":1.2},' +
  '"lapse":{"delays":[10.0],"leechAction":1,"leechFails":8,"minInt":1,"mult":0.0},"dyn":false,"newMix":0,' +
  '"newPerDayMinimum":0,"interdayLearningMix":0,"reviewOrder":0,"newSortOrder":0,"newGatherPriority":0,' +
  '"buryInterdayLearning":false,"fsrsWeights":[],"fsrsParams5":[],"fsrsParams6":[],"desiredRetention":0.9,' +
  '"ignoreRevlogsBeforeDate":"","easyDaysPercentages":[1.0,1.0,1.0,1.0,1.0,1.0,1.0],"stopTimerOnAnswer":false,' +
  '"secondsToShowQuestion":0.0,"secondsToShowAnswer":0.0,"questionAction":0,"answerAction":0,"waitForAudio":true,' +
  '"sm2Retention":0.9,"weightSearch":""}';
const stock = objectOf(parseJson(newConfigText));

for (const { name, file } of handedOut) {
  test(`the deck configs of "${name}" are handed out as by the official server`, () => {
    using db = openCollection(file);
    const ours = readDeckConfigs(new Statements(db))
      .filter((one) => one.usn >= 0)
      .map(deckConfigToJson);
    assert.deepEqual(comparable(ours), comparable(readHandedOut(name, 'deck-configs')));
  });
}

test('every deck config of real collections comes back from JSON with the same bytes, but for numbers that are not allowed', () => {
  for (const name of collections18) {
    using db = openCollection(name);
    for (const stored of readDeckConfigs(new Statements(db))) {
      const back = deckConfigFromJson(deckConfigToJson(stored));
      assert.deepEqual(
        plain(back),
        plain({ ...stored, config: withAllowedNumbers(stored.config) }),
        `${name}: ${stored.name}`,
      );
    }
  }
});

test('the options of a new collection are read and written as the specification says', () => {
  assert.equal(stringifyJson(deckConfigToJson(withBlob(newConfig))), newConfigText);
  assert.equal(hexOf(deckConfigFromJson(stock).config), hexOf(newConfig));
});

test('options of no bytes come out with the numbers that Anki puts in place of forbidden ones', () => {
  const json = deckConfigToJson(withBlob(new Uint8Array(0)));
  assert.equal(
    stringifyJson([
      json.maxTaken ?? null,
      json.new ?? null,
      json.rev ?? null,
      json.lapse ?? null,
      json.waitForAudio ?? null,
    ]),
    '[60,{"bury":false,"delays":[],"initialFactor":2500,"ints":[1,4,0],"order":1,"perDay":0},' +
      '{"bury":false,"ease4":1.3,"ivlFct":1.0,"maxIvl":36500,"perDay":0,"hardFactor":1.2},' +
      '{"delays":[],"leechAction":0,"leechFails":8,"minInt":1,"mult":0.0},false]',
  );
  assert.equal(stringifyJson([json.desiredRetention ?? null, json.sm2Retention ?? null]), '[0.9,0.9]');
});

test('unknown keys stand at their level, and never beside a real key of the same name', () => {
  const other = Buffer.from('{"new":{"separate":true,"order":5},"rev":7,"foo":1.0,"usn":9,"__proto__":{"a":1}}');
  const json = deckConfigToJson(
    withBlob(Buffer.concat([newConfig, bytesOf('FA 0F'), Buffer.from([other.length]), other])),
  );
  const text = stringifyJson(json);
  assert.ok(text.includes('"order":1,"perDay":20,"separate":true}'), text);
  assert.ok(text.endsWith('"weightSearch":"","foo":1.0,"__proto__":{"a":1}}'), text);
  const back = deckConfigFromJson(json);
  const kept = '{"__proto__":{"a":1},"foo":1.0,"new":{"separate":true}}';
  assert.ok(hexOf(back.config).endsWith(Buffer.from(kept).toString('hex')));
});

test('what a newer release stored about options survives a change by an older one', () => {
  const newer = withBlob(Buffer.concat([newConfig, bytesOf('98 06 07')]));
  assert.equal(hexOf(deckConfigFromJson(stock, newer).config), hexOf(newer.config));
});

test('the starting ease is cut as in Anki, and numbers that Anki does not allow are replaced', () => {
  const eases: [number, number][] = [
    [2.001, 2000],
    [1.3, 2500],
    [6, 2500],
    [1.31, 1310],
    [5, 5000],
    [4.999, 4999],
    [Number.NaN, 2500],
  ];
  for (const [ease, permille] of eases) {
    const blob = Buffer.concat([bytesOf('5D'), new Uint8Array(Float32Array.of(ease).buffer)]);
    assert.equal(part(deckConfigToJson(withBlob(blob)), 'new').initialFactor, permille, String(ease));
  }
  for (let permille = 1310; permille <= 5000; permille += 10) {
    const json = { ...stock, new: { ...part(stock, 'new'), initialFactor: permille } };
    assert.equal(part(deckConfigToJson(deckConfigFromJson(json)), 'new').initialFactor, permille);
  }
});

test('unknown numbers of choices pass, but where the JSON form has no room for them', () => {
  const json = deckConfigToJson(withBlob(bytesOf('A0 01 07 A8 01 09 A0 02 63 D8 02 09 F0 01 63')));
  assert.deepEqual([part(json, 'new').order, part(json, 'lapse').leechAction], [1, 0]);
  assert.deepEqual([json.questionAction, json.answerAction, json.newMix], [0, 0, 99]);
});

test('JSON has no NaN: lists with one are left out, single values are 0', () => {
  const json = deckConfigToJson(withBlob(bytesOf('0A 04 00 00 C0 7F CD 02 00 00 80 7F')));
  assert.deepEqual([part(json, 'new').delays, String(json.secondsToShowQuestion)], [[], '0.0']);
});

test('an unusable part of the options becomes that of a new collection, its unknown keys gone', () => {
  const wrong: [string, JsonValue][] = [
    ['new', null],
    ['new', { ...part(stock, 'new'), initialFactor: new JsonFloat(2500), separate: true }],
    ['new', { ...part(stock, 'new'), bury: 0 }],
    ['new', { x: 1 }],
    ['rev', { ...part(stock, 'rev'), ease4: '1.3', fuzz: 1 }],
    ['rev', { ...part(stock, 'rev'), maxIvl: -1 }],
    ['lapse', []],
    ['lapse', { ...part(stock, 'lapse'), mult: null }],
  ];
  for (const [key, value] of wrong) {
    assert.equal(hexOf(deckConfigFromJson({ ...stock, [key]: value }).config), hexOf(newConfig), stringifyJson(value));
  }
});

test('what clients could not parse is refused, what they bend is bent', () => {
  const required = ['id', 'mod', 'name', 'usn', 'maxTaken', 'autoplay', 'timer', 'new', 'rev', 'lapse'];
  const refused: JsonObject[] = [
    ...required.map((key) => Object.fromEntries(Object.entries(stock).filter(([one]) => one !== key))),
    ...changes('id', [0, null, '', new JsonFloat(1)]),
    ...changes('mod', [null, '1.0']),
    ...changes('usn', ['1', 2 ** 31]),
    ...changes('autoplay', [1, null]),
    ...changes('replayq', [1, null]),
    ...changes('newMix', [new JsonFloat(0), null, 2 ** 31]),
    ...changes('fsrsParams6', [null, ['1'], [null]]),
    ...changes('desiredRetention', [null, '0.9']),
    ...changes('questionAction', [2, null]),
    ...changes('answerAction', [5, -1]),
    ...changes('weightSearch', [null]),
  ];
  for (const json of refused) assert.throws(() => deckConfigFromJson(json), FormatError, stringifyJson(json));
  const bent: [JsonObject[], string, JsonValue][] = [
    [changes('timer', [true, null, '1', 256]), 'timer', 0],
    [changes('timer', [7]), 'timer', 1],
    [changes('dyn', [true, 5, null]), 'dyn', false],
    [changes('maxTaken', [-5, 0, 10000]), 'maxTaken', 60],
    [changes('id', ['+7', '007']), 'id', 7],
    [insideNew('ints', [null, [1], [1, -1], [1, new JsonFloat(2)], [1, '2']]), 'new', part(stock, 'new')],
    [
      insideNew('ints', [
        [1, 4],
        [1, 4, 7, 9],
      ]),
      'new',
      part(stock, 'new'),
    ],
    [insideNew('order', [5, null]), 'new', part(stock, 'new')],
    [insideNew('perDay', [null, '5', -1]), 'new', { ...part(stock, 'new'), perDay: 0 }],
  ];
  for (const [jsons, key, value] of bent) {
    for (const json of jsons) {
      const back = deckConfigToJson(deckConfigFromJson(json))[key] ?? null;
      assert.deepEqual(comparable(back), comparable(value), stringifyJson(json));
    }
  }
});

function withBlob(config: Uint8Array): DeckConfig {
  return { id: 1n, name: 'Default', mtimeSecs: 0, usn: 0, config };
}

function plain(deckConfig: DeckConfig): unknown {
  return { ...deckConfig, config: hexWithSortedKeys(DeckConfigConfigSchema, deckConfig.config) };
}

function withAllowedNumbers(blob: Uint8Array): Uint8Array {
  const config = decodeBlob(DeckConfigConfigSchema, blob, 'config');
  replaceForbiddenNumbers(config);
  return encodeBlob(DeckConfigConfigSchema, config);
}

function objectOf(value: JsonValue | undefined): JsonObject {
  assert.ok(isJsonObject(value));
  return value;
}

function part(json: JsonObject, key: string): JsonObject {
  return objectOf(json[key]);
}

function changes(key: string, values: JsonValue[]): JsonObject[] {
  return values.map((value) => ({ ...stock, [key]: value }));
}

function insideNew(key: string, values: JsonValue[]): JsonObject[] {
  return changes(
    'new',
    values.map((value) => ({ ...part(stock, 'new'), [key]: value })),
  );
}
