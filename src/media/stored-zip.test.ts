import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TemporaryUser } from '../../test/support/media.ts';
import { readZipEntries } from '../../test/support/media-messages.ts';
import { storedZip } from './stored-zip.ts';
import { zipToFile } from './zip-out.ts';

test('a zip that is made in memory holds the entries in their order, byte for byte', async () => {
  const entries = fc.array(fc.tuple(fc.uuid(), fc.uint8Array({ maxLength: 300 })), { maxLength: 26 });
  await fc.assert(
    fc.asyncProperty(entries, async (given) => {
      const read = await readZipEntries(storedZip(given));
      assert.deepEqual(
        read.map(({ name, content, method }) => [name, new Uint8Array(content), method]),
        given.map(([name, content]) => [name, content, 0]),
      );
    }),
    { numRuns: 50 },
  );
});

test('names beyond ASCII are marked as UTF-8', async () => {
  const [entry] = await readZipEntries(storedZip([['ü', Buffer.from('x')]]));
  assert.equal(entry?.name, 'ü');
});

test('it is as long as the zip of a library, which clients have read for years', async () => {
  using user = new TemporaryUser();
  const bytes = Buffer.from('content');
  const byteLength = await zipToFile([{ kind: 'bytes', name: 'a', bytes }], user.beside('a.zip'));
  const ours = storedZip([
    ['0', bytes],
    ['_meta', Buffer.from('{"0":"a"}')],
  ]);
  assert.equal(ours.length, byteLength);
});
