import assert from 'node:assert/strict';
import test from 'node:test';
import { Statements } from '../../storage/exact-rows.ts';
import { FormatError } from './format-error.ts';
import {
  isJsonObject,
  JsonFloat,
  type JsonObject,
  type JsonValue,
  memberOf,
  parseJson,
  stringifyJson,
} from './json.ts';
import { type Notetype, notetypeFromJson, notetypeToJson } from './notetype.ts';
import { FieldConfigSchema, NotetypeConfigSchema, TemplateConfigSchema } from './proto/collection_pb.ts';
import { readNotetypes } from './stored-objects.ts';
import { bytesOf, hexOf, hexWithSortedKeys } from './testing/bytes.ts';
import { collections18, comparable, handedOut, openCollection, readHandedOut } from './testing/fixtures.ts';

for (const { name, file } of handedOut) {
  test(`the notetypes of "${name}" are handed out as by the official server`, () => {
    using db = openCollection(file);
    const ours = readNotetypes(new Statements(db))
      .filter((one) => one.usn >= 0)
      .map(notetypeToJson);
    assert.deepEqual(comparable(ours), comparable(readHandedOut(name, 'notetypes')));
  });
}

test('every notetype of real collections comes back from JSON with the same bytes', () => {
  for (const name of collections18) {
    using db = openCollection(name);
    for (const stored of readNotetypes(new Statements(db))) {
      const back = notetypeFromJson(notetypeToJson(stored));
      assert.deepEqual(comparable(notetypeToJson(back)), comparable(notetypeToJson(stored)));
      assert.deepEqual(blobsOf(back), blobsOf(stored), `${name}: ${stored.name}`);
    }
  }
});

function blobsOf({ config, fields, templates }: Notetype): string[] {
  return [
    hexWithSortedKeys(NotetypeConfigSchema, config),
    ...fields.map((field) => hexWithSortedKeys(FieldConfigSchema, field.config)),
    ...templates.map((template) => hexWithSortedKeys(TemplateConfigSchema, template.config)),
  ];
}

test('a notetype blob is read as the specification says', () => {
  const json = notetypeToJson({ ...empty, config: bytesOf('08 01 1A 04 2E 63 7B 7D 42 05 10 01 1A 01 00 48 05') });
  assert.deepEqual(json, {
    ...{ id: 5, name: 'n', type: 1, mod: 7, usn: -1, sortf: 0, did: null, tmpls: [], flds: [], css: '.c{}' },
    ...{ latexPre: '', latexPost: '', latexsvg: false, req: [[0, 'any', [0]]], originalStockKind: 5 },
  });
});

const empty: Notetype = {
  id: 5n,
  name: 'n',
  mtimeSecs: 7,
  usn: -1,
  config: new Uint8Array(0),
  fields: [],
  templates: [],
};

const basicText = `{"id":5,"name":"Basic","type":0,"mod":7,"usn":1,"sortf":0,"did":null,"css":"","req":[[0,"any",[0]]],
  "tmpls":[{"name":"Card 1","qfmt":"{{Front}}","id":-7}],
  "flds":[{"name":"Front","sticky":false,"rtl":false,"font":"Arial","size":20,"id":11},
    {"name":"Back","sticky":"0","rtl":1,"font":"Arial","size":20,"id":12}]}`;
const basic = parseJson(basicText) as JsonObject;

/** Field 99, a number: no release has it yet. */
const newerField = '980607';
function withField(blob: Uint8Array): Uint8Array {
  return bytesOf(hexOf(blob) + newerField);
}

function listAt(json: JsonObject, key: string): JsonValue[] {
  const list = json[key];
  assert.ok(Array.isArray(list));
  return list;
}

function firstOf(json: JsonObject, key: string): JsonObject {
  const first = listAt(json, key)[0];
  assert.ok(isJsonObject(first));
  return first;
}

test('a field blob is read as the specification says, its 64-bit id included', () => {
  const config = bytesOf(
    '1A 05 41 72 69 61 6C 20 14 48 9F CE 8F 81 85 F1 A2 C7 C0 01 ' +
      'FA 0F 17 7B 22 6D 65 64 69 61 22 3A 5B 5D 2C 22 6E 61 6D 65 22 3A 22 78 22 7D',
  );
  const json = notetypeToJson({ ...empty, fields: [{ ord: 0, name: 'Front', config }] });
  assert.deepEqual(json.flds, [
    {
      ...{ name: 'Front', ord: 0, sticky: false, rtl: false, font: 'Arial', size: 20, description: '' },
      ...{ plainText: false, collapsed: false, excludeFromSearch: false, id: -4571563154158131425n, tag: null },
      ...{ preventDeletion: false, media: [] },
    },
  ]);
});

test('numbers that the JSON form has no room for are wrapped, as in Anki', () => {
  const fields = [{ ord: 70000, name: 'f', config: bytesOf('20 F0 A2 04') }];
  const templates = [
    { ord: 1, name: 't', mtimeSecs: 5, usn: 5, config: bytesOf('28 FB FF FF FF FF FF FF FF FF 01 38 AC 02') },
  ];
  const json = notetypeToJson({ ...empty, fields, templates });
  assert.deepEqual([firstOf(json, 'flds').ord, firstOf(json, 'flds').size], [4464, 4464]);
  assert.deepEqual([firstOf(json, 'tmpls').did, firstOf(json, 'tmpls').bsize], [null, 44]);
});

test('unknown keys of a notetype, its fields and templates survive, whatever they are called', () => {
  const json = parseJson(
    basicText
      .replace('"id":5', '"__proto__":{"b":1.0,"a":[]},"10":18446744073709551615,"vers":[],"id":5')
      .replace('"font"', '"":null,"font"'),
  );
  const back = notetypeToJson(notetypeFromJson(json));
  assert.equal(Object.hasOwn(back, '__proto__'), true);
  assert.deepEqual(comparable(memberOf(back, '__proto__') ?? null), comparable(parseJson('{"b":1.0,"a":[]}')));
  assert.equal(back['10'], 2n ** 64n - 1n);
  assert.equal(firstOf(back, 'flds')[''], null);
});

test('what a newer release stored about a notetype survives a change by an older one', () => {
  const stored = notetypeFromJson(basic);
  const newer: Notetype = {
    ...stored,
    config: withField(stored.config),
    fields: stored.fields.map((field) => ({ ...field, config: withField(field.config) })),
    templates: stored.templates.map((template) => ({ ...template, config: withField(template.config) })),
  };
  const { config, fields, templates } = notetypeFromJson({ ...basic, css: 'new' }, newer);
  for (const blob of [config, ...fields.map((one) => one.config), ...templates.map((one) => one.config)]) {
    assert.ok(hexOf(blob).endsWith(newerField), hexOf(blob));
  }
  const newerFirstField = { ...newer, fields: [...newer.fields.slice(0, 1), ...stored.fields.slice(1)] };
  const fieldsSwapped = notetypeFromJson({ ...basic, flds: listAt(basic, 'flds').toReversed() }, newerFirstField);
  assert.deepEqual(
    fieldsSwapped.fields.map((one) => hexOf(one.config).endsWith(newerField)),
    [false, true],
  );
});

test('what clients could not parse is refused, what they bend is bent', () => {
  const refused: JsonObject[] = [
    ...['id', 'name', 'type', 'mod', 'usn', 'sortf', 'did', 'tmpls', 'flds', 'css'].map((key) =>
      withoutKey(basic, key),
    ),
    ...changes('id', ['', '1.0', '5 ', 1.5, null, true, 2n ** 63n, 0]),
    ...changes('type', [2, '0', true, null, new JsonFloat(0)]),
    ...changes('mod', ['7', null, new JsonFloat(7)]),
    ...changes('usn', [2 ** 31, '1', null]),
    ...changes('sortf', [-1, 65536, null]),
    ...changes('latexPre', [null, 5]),
    ...changes('originalStockKind', [null, 2 ** 31, '1']),
    ...changes('originalId', ['5', new JsonFloat(1)]),
    ...changes('tmpls', [null, {}, [5]]),
    ...changesInside('flds', 'sticky', [null, 2, '', 'yes', new JsonFloat(0.5)]),
    ...changesInside('flds', 'size', ['20', new JsonFloat(20), 65536]),
    ...changesInside('flds', 'ord', [-1, '0']),
    ...changesInside('flds', 'name', [null, 'BACK']),
    ...changesInside('tmpls', 'afmt', [null, 5]),
  ];
  for (const json of refused) assert.throws(() => notetypeFromJson(json), FormatError, stringifyJson(json));
  const bent: [JsonObject[], string, JsonValue][] = [
    [changes('id', ['5', '+5', '0005']), 'id', 5],
    [changes('did', ['5', [], new JsonFloat(1), 0]), 'did', null],
    [changes('css', [5, null]), 'css', ''],
    [changes('latexsvg', [1, 'true', null]), 'latexsvg', false],
    [changes('req', [5, null, [[0, 'bad', []]], [[0, 'any', [0], 1]], [[0, 'any', [0]], []]]), 'req', []],
    [changes('req', [[{ card_ord: 1, kind: 'all', field_ords: [0] }]]), 'req', [[1, 'all', [0]]]],
  ];
  for (const [jsons, key, value] of bent) {
    for (const json of jsons) assert.deepEqual(notetypeToJson(notetypeFromJson(json))[key], value, stringifyJson(json));
  }
});

function withoutKey(json: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(json).filter(([one]) => one !== key));
}

function changes(key: string, values: JsonValue[]): JsonObject[] {
  return values.map((value) => ({ ...basic, [key]: value }));
}

function changesInside(list: string, key: string, values: JsonValue[]): JsonObject[] {
  const [, ...others] = listAt(basic, list);
  return values.map((value) => ({ ...basic, [list]: [{ ...firstOf(basic, list), [key]: value }, ...others] }));
}
