import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeZip, sha1Of, TemporaryUser, type TestEntry, type TestZipOptions } from '../../test/support/media.ts';
import { SyncError, type SyncErrorCode } from '../errors.ts';
import { MiB, mediaFileBytesMax, mediaMetaBytesMax, zipContentBytesMax, zipEntriesMax } from '../limits.ts';
import { UploadZip } from './zip-in.ts';

const META: TestEntry = { name: '_meta', content: '[["a","0"]]' };

test('stored, deflated and streamed entries are read whole, with their hash', async () => {
  const long = 'long text, deflates well. '.repeat(20_000);
  const entries: TestEntry[] = [
    { name: '0', content: 'stored' },
    { name: '1', content: long, method: 'deflated' },
    { name: 'any/../name\\ü', content: 'streamed', withDescriptor: true },
    { name: '3', content: long, method: 'deflated', withDescriptor: true },
    { name: 'ignored', content: 'not read', method: 14 },
    META,
  ];
  const read = await readZip(makeZip(entries), ['0', '1', 'any/../name\\ü', '3']);
  assert.deepEqual(read, { meta: META.content, contents: ['stored', long, 'streamed', long] });
});

test('the comment that the zip library of desktop 2.1.28 to 2.1.49 leaves is no fault', async () => {
  const zip = makeZip([{ name: '0', content: 'x' }, META], { comment: 'zip-rs' });
  assert.deepEqual((await readZip(zip, ['0'])).contents, ['x']);
});

test('_meta may be as long as 50 KiB; blanks beyond are cut off', async () => {
  const meta = (bytes: number) => `[["a","0"]]${' '.repeat(bytes - 11)}`;
  for (const bytes of [mediaMetaBytesMax, mediaMetaBytesMax + 1, 10 * mediaMetaBytesMax]) {
    for (const method of ['stored', 'deflated'] as const) {
      const zip = makeZip([{ name: '_meta', content: meta(bytes), method }]);
      assert.equal((await readZip(zip, [])).meta, meta(mediaMetaBytesMax));
    }
  }
});

const bomb = Buffer.alloc(20 * MiB);
const manyEntries = Array.from({ length: zipEntriesMax + 1 }, (_, index) => ({ name: `e${index}`, content: '' }));
const zip64Extra = Buffer.from([1, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
const emptyEnd = makeZip([]).toString('latin1');
const endRecordInside: TestZipOptions = { after: emptyEnd, comment: emptyEnd };
const zip64Locator = `PK\x06\x07${'\0'.repeat(16)}`;

/** What is sent, by what it is; with the error if it is not `malformedRequest`. */
const HOSTILE: readonly (readonly [what: string, zip: Buffer, reason: RegExp, code?: SyncErrorCode])[] = [
  ['nothing', Buffer.alloc(0), /does not end like a zip/],
  ['junk', Buffer.from('no zip '.repeat(50)), /does not end like a zip/],
  ['cut off', makeZip([{ name: '0', content: 'x'.repeat(1000) }, META]).subarray(0, -30), /does not end like a zip/],
  ['cut off at the front', makeZip([{ name: '0', content: 'x' }, META]).subarray(9), /directory is not where/],
  [
    'junk before',
    makeZip([{ name: '0', content: 'x' }, META], { before: 'junk' }).subarray(4),
    /directory is not where/,
  ],
  ['junk behind', makeZip([{ name: '0', content: 'x' }, META], { after: 'junk'.repeat(9) }), /does not end like a zip/],
  ['a long comment', makeZip([{ name: '0', content: 'x' }, META], { comment: 'x'.repeat(300) }), /does not end/],
  [
    'a comment of another length',
    Buffer.concat([makeZip([META], { comment: 'zip-rs' }), Buffer.from('x')]),
    /does not end/,
  ],
  ['an end record in the comment', makeZip([{ name: '0', content: 'x' }, META], endRecordInside), /not where it says/],
  ['a zip64 locator', withLocator(makeZip([{ name: '0', content: 'x' }, META])), /zip64/],
  ['a zip64 entry', makeZip([{ name: '0', content: 'x', extra: zip64Extra }, META]), /zip64/],
  ['no _meta', makeZip([{ name: '0', content: 'x' }]), /no entry _meta/],
  ['no entry', makeZip([META]), /no entry 0/],
  ['empty content', makeZip([{ name: '0', content: '' }, META]), /empty/],
  ['empty content, deflated', makeZip([{ name: '0', content: '', method: 'deflated' }, META]), /empty/],
  ['bzip2', makeZip([{ name: '0', content: 'x', method: 12 }, META]), /method 12/],
  ['LZMA', makeZip([{ name: '0', content: 'x', method: 14 }, META]), /method 14/],
  [
    '_meta by another method',
    makeZip([
      { name: '0', content: 'x' },
      { ...META, method: 12 },
    ]),
    /method 12/,
  ],
  ['encryption', makeZip([{ name: '0', content: 'x'.repeat(20), flags: 1, size: 8 }, META]), /encrypted/],
  [
    'encryption of what is ignored',
    makeZip([{ name: '0', content: 'x' }, { name: 'i', content: 'x'.repeat(20), flags: 1, size: 8 }, META]),
    /encrypted/,
  ],
  ['strong encryption', makeZip([{ name: '0', content: 'x', flags: 0x40 }, META]), /encryption/],
  ['wrong checksum', makeZip([{ name: '0', content: 'x', crc: 1 }, META]), /damaged/],
  ['wrong checksum, deflated', makeZip([{ name: '0', content: 'x', crc: 1, method: 'deflated' }, META]), /damaged/],
  [
    'wrong checksum of _meta',
    makeZip([
      { name: '0', content: 'x' },
      { ...META, crc: 1 },
    ]),
    /damaged/,
  ],
  ['no deflate stream', makeZip([{ name: '0', content: '\xff'.repeat(9), method: 8, compressedSize: 3 }, META]), /Z_/],
  ['two entries of one name', makeZip([{ name: '0', content: 'x' }, { name: '0', content: 'y' }, META]), /two entries/],
  ['two _meta', makeZip([{ name: '0', content: 'x' }, META, META]), /two entries/],
  [
    'entries that share bytes',
    makeZip([{ name: '0', content: 'x' }, { name: '1', content: 'x', sharesHeaderOf: '0' }, META]),
    /overlaps/,
  ],
  [
    'an entry that goes on into the directory',
    makeZip([META, { name: '0', content: 'x', size: 60, compressedSize: 60 }]),
    /overlaps/,
  ],
  ['stored, longer than said', makeZip([{ name: '0', content: 'xxxx', size: 2 }, META]), /mismatch/],
  ['stored, shorter than said', makeZip([{ name: '0', content: 'xx', size: 4 }, META]), /mismatch/],
  [
    'deflated, longer than said',
    makeZip([{ name: '0', content: bomb, method: 'deflated', size: 1000 }, META]),
    /damaged/,
  ],
  [
    'deflated, shorter than said',
    makeZip([{ name: '0', content: 'xx', method: 'deflated', size: 1000 }, META]),
    /damaged/,
  ],
  [
    'a larger file than there may be',
    makeZip([{ name: '0', content: 'x', method: 'deflated', size: mediaFileBytesMax + 1 }, META]),
    /larger than a media file/,
  ],
  ['fewer entries than said', makeZip([{ name: '0', content: 'x' }, META], { entryCount: 3 }), /signature|EOF|end/],
  ['too many entries', makeZip(manyEntries), /129 entries/, 'payloadTooLarge'],
];

for (const [what, zip, reason, code = 'malformedRequest'] of HOSTILE) {
  test(`a zip with ${what} is refused, and leaves nothing behind`, async () => {
    await assert.rejects(readZip(zip, ['0']), (error: unknown) => {
      assert.ok(error instanceof SyncError, String(error));
      assert.match(error.message, reason);
      assert.equal(error.code, code);
      return true;
    });
  });
}

test('a zip that holds too much in all is refused before it is unpacked', async () => {
  const each = mediaFileBytesMax;
  const amount = Math.floor(zipContentBytesMax / each) + 1;
  const names = Array.from({ length: amount }, (_, index) => String(index));
  const entries = names.map((name) => ({ name, content: 'x', method: 'deflated' as const, size: each }));
  using user = new TemporaryUser();
  await using zip = await openZip(user, makeZip([...entries, META]));
  for (const name of names.slice(0, -1)) {
    await assert.rejects(
      zip.extract(name, () => user.beside(name)),
      { code: 'malformedRequest' },
    ); // It lies about its size.
  }
  await assert.rejects(
    zip.extract(names.at(-1) ?? '', () => user.beside('x')),
    { code: 'payloadTooLarge' },
  );
});

test('no zip, however damaged, does anything but be read or be refused', async () => {
  const whole = makeZip([
    { name: '0', content: 'some stored text' },
    { name: '1', content: 'some deflated text, text, text', method: 'deflated', withDescriptor: true },
    META,
  ]);
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(damage, async (changes) => {
      const zip = Buffer.from(whole);
      for (const [at, byte] of changes) zip[at] = byte;
      try {
        const { contents } = await readZip(zip, ['0', '1']);
        assert.deepEqual(contents, ['some stored text', 'some deflated text, text, text']);
      } catch (error) {
        assert.ok(error instanceof SyncError && error.code === 'malformedRequest', String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test('no file stays open, whether a zip is read or refused', { skip: process.platform !== 'linux' }, async () => {
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const good = makeZip([{ name: '0', content: 'x'.repeat(200_000), method: 'deflated' }, META]);
  await readZip(good, ['0']);
  const before = openFiles();
  for (let round = 0; round < 10; round++) {
    await readZip(good, ['0']);
    for (const [, zip] of HOSTILE) await readZip(zip, ['0']).catch(() => {});
  }
  for (let turn = 0; turn < 50 && openFiles() > before; turn++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(openFiles() <= before, `${openFiles()} files open, ${before} before`);
});

function withLocator(zip: Buffer): Buffer {
  return Buffer.concat([zip.subarray(0, -22), Buffer.from(zip64Locator, 'latin1'), zip.subarray(-22)]);
}

async function openZip(user: TemporaryUser, zip: Buffer): Promise<UploadZip> {
  const file = user.beside('upload.zip');
  writeFileSync(file, zip);
  return UploadZip.open(file);
}

async function readZip(bytes: Buffer, names: readonly string[]) {
  using user = new TemporaryUser();
  try {
    await using zip = await openZip(user, bytes);
    const meta = await zip.meta();
    const contents: string[] = [];
    for (const [index, name] of names.entries()) {
      const target = `${user.folder.root}/${index}`;
      const content = await zip.extract(name, () => target);
      if ('path' in content) assert.equal(content.path, target);
      const written = 'path' in content ? readFileSync(target) : Buffer.from(content.bytes);
      const { sha1, size } = content;
      assert.deepEqual({ sha1, size }, { sha1: sha1Of(written), size: written.length });
      contents.push(written.toString('utf8'));
    }
    return { meta: meta.toString('utf8'), contents };
  } catch (error) {
    assert.deepEqual(
      readdirSync(user.folder.root).filter((name) => name === String(names.length - 1)),
      [],
    );
    throw error;
  }
}
