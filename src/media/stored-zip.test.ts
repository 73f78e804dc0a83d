import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import yazl from 'yazl';
import { readZipEntries } from '../../test/support/media-messages.ts';
import { StoredZip } from './stored-zip.ts';

type Entry = readonly [name: string, content: Uint8Array];

function zipOf(entries: readonly Entry[]): Buffer {
  const zip = new StoredZip(entries.map(([name, { byteLength }]) => ({ name, byteLength })));
  const bytes = Buffer.alloc(zip.byteLength, 0xff); // Every byte must be written.
  const put = (part: { bytes: Uint8Array; at: number }) => bytes.set(part.bytes, part.at);
  for (const [index, [, content]] of entries.entries()) {
    put(zip.head(index, crc32(content)));
    put({ bytes: content, at: zip.contentAt(index) });
  }
  put(zip.directory(entries.map(([, content]) => crc32(content))));
  return bytes;
}

test('a zip holds the entries in their order, byte for byte', async () => {
  const entries = fc.array(fc.tuple(fc.uuid(), fc.uint8Array({ maxLength: 300 })), { maxLength: 26 });
  await fc.assert(
    fc.asyncProperty(entries, async (given) => {
      const read = await readZipEntries(zipOf(given));
      assert.deepEqual(
        read.map(({ name, content, method }) => [name, new Uint8Array(content), method]),
        given.map(([name, content]) => [name, content, 0]),
      );
    }),
    { numRuns: 50 },
  );
});

test('names beyond ASCII are marked as UTF-8', async () => {
  const [entry] = await readZipEntries(zipOf([['ü', Buffer.from('x')]]));
  assert.equal(entry?.name, 'ü');
});

test('it is byte for byte the zip of a library, which clients have read for years', async () => {
  const entries: Entry[] = [
    ['0', Buffer.from('content')],
    ['ü', Buffer.from('more of it')],
  ];
  const library = new yazl.ZipFile();
  const options = { compress: false, mtime: new Date(1980, 0, 1), forceDosTimestamp: true, mode: 0o100644 };
  for (const [name, content] of entries) library.addBuffer(Buffer.from(content), name, options);
  library.end();
  const expected = await buffer(library.outputStream);
  assert.equal(zipOf(entries).toString('latin1'), expected.toString('latin1'));
});

test('what would need the form for large zips is refused', () => {
  assert.throws(() => new StoredZip([{ name: '0', byteLength: 0xffff_ffff }]), RangeError);
});
