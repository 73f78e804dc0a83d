import assert from 'node:assert/strict';
import test from 'node:test';
import type { Message } from '@bufbuild/protobuf';
import { decodeBlob, encodeBlob, keepUnknownFields } from './blobs.ts';
import { FormatError } from './format-error.ts';
import {
  DeckCommonSchema,
  DeckConfigConfigSchema,
  DeckKindSchema,
  FieldConfigSchema,
  NotetypeConfigSchema,
  TemplateConfigSchema,
} from './proto/collection_pb.ts';
import { bytesOf, hexOf } from './testing/bytes.ts';
import { collections18, openCollection, rowsOf } from './testing/fixtures.ts';

const blobColumns = [
  ['SELECT config FROM notetypes', NotetypeConfigSchema],
  ['SELECT config FROM fields', FieldConfigSchema],
  ['SELECT config FROM templates', TemplateConfigSchema],
  ['SELECT common FROM decks', DeckCommonSchema],
  ['SELECT kind FROM decks', DeckKindSchema],
  ['SELECT config FROM deck_config', DeckConfigConfigSchema],
] as const;

test('every blob of real collections is written as it was read', () => {
  let count = 0;
  for (const name of collections18) {
    using db = openCollection(name);
    for (const [query, schema] of blobColumns) {
      for (const [blob] of rowsOf(db, query)) {
        assert.ok(blob instanceof Uint8Array);
        const message = decodeBlob<Message>(schema, blob, name);
        assert.equal(message.$unknown, undefined, `${name}: ${query}`);
        assert.equal(hexOf(encodeBlob<Message>(schema, message)), hexOf(blob), `${name}: ${query}`);
        count++;
      }
    }
  }
  assert.ok(count > 1000, `only ${count} blobs`);
});

test('fields of a newer release survive, in the message and inside its parts', () => {
  const message = decodeBlob(DeckKindSchema, bytesOf('0A 05 08 01 98 06 07 FA 0F 01 41'), 'kind');
  assert.equal(hexOf(encodeBlob(DeckKindSchema, message)), hexOf(bytesOf('0A 05 08 01 98 06 07 FA 0F 01 41')));
});

test('fields of a newer release move to the message that replaces theirs', () => {
  const stored = decodeBlob(DeckCommonSchema, bytesOf('08 01 80 01 05'), 'common');
  const next = keepUnknownFields(decodeBlob(DeckCommonSchema, bytesOf('10 01'), 'common'), stored);
  assert.equal(hexOf(encodeBlob(DeckCommonSchema, next)), hexOf(bytesOf('10 01 80 01 05')));
});

test('lists of numbers are read packed and unpacked, mixed, and written packed', () => {
  const blob = bytesOf('0D 00 00 40 40 0A 04 00 00 80 40');
  const message = decodeBlob(DeckConfigConfigSchema, blob, 'config');
  assert.deepEqual(message.learnSteps, [3, 4]);
  assert.equal(hexOf(encodeBlob(DeckConfigConfigSchema, message)), hexOf(bytesOf('0A 08 00 00 40 40 00 00 80 40')));
});

test('a blob that Anki cannot read is refused', () => {
  const broken = {
    'cut in a number': '08',
    'cut in a text': '1A 05 41',
    'length beyond the end': '1A FF FF FF FF 0F 41',
    'number of more than ten bytes': '08 80 80 80 80 80 80 80 80 80 80 01',
    'unknown number of more than ten bytes': '98 06 80 80 80 80 80 80 80 80 80 80 01',
    'field number 0': '00 01',
    'text where a number belongs': '0A 01 41',
    'number where a text belongs': '18 01',
    'text that is no UTF-8': '1A 02 C3 28',
    'part that ends inside a field': '42 01 08 01',
    'unknown wire type': '9E 06 01',
  };
  for (const [title, hex] of Object.entries(broken)) {
    assert.throws(() => decodeBlob(NotetypeConfigSchema, bytesOf(hex), 'notetype'), FormatError, title);
  }
  assert.throws(() => decodeBlob(DeckConfigConfigSchema, bytesOf('5D 00 00 20'), 'config'), FormatError);
  // Bytes that the library alone would take for two numbers.
  assert.throws(() => decodeBlob(DeckCommonSchema, bytesOf('0A 02 10 01'), 'common'), FormatError);
});

test('a blob of no bytes is a message of zero values', () => {
  const message = decodeBlob(NotetypeConfigSchema, new Uint8Array(0), 'notetype');
  assert.equal(message.css, '');
  assert.equal(message.originalId, undefined);
  assert.equal(encodeBlob(NotetypeConfigSchema, message).length, 0);
});
