import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { listeningLog, readFiles, sha1Of, TemporaryUser } from '../../test/support/media.ts';
import { MiB } from '../limits.ts';
import { silentLog } from '../log.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { Arrivals, type ArrivedFile, readArrivals } from './arrivals.ts';
import type { MediaName } from './media-name.ts';
import { arrivalsFile, listTrash } from './media-trash.ts';
import { UserMedia } from './user-media.ts';

type Files = Readonly<Record<string, string | null>>;

/** Uploads as a client's small zip does; null deletes. */
async function upload(media: UserMedia, files: Files): Promise<void> {
  const changes = Object.entries(files).map(([name, text]) => {
    const bytes = Buffer.from(text ?? '');
    const content = text === null ? undefined : { bytes, sha1: sha1Of(bytes), size: bytes.length };
    return { name: name as MediaName, content };
  });
  await media.upload(changes);
}

/** What the disk holds now. The process goes on in the folder itself. */
function imageOf(user: TemporaryUser, name: string): UserFolder {
  const image = userFolder(user.beside(''), name);
  cpSync(user.folder.root, image.root, { recursive: true });
  return image;
}

test('new files whose bytes had not reached the disk when the power failed are put back', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  await upload(media, { a: 'A', b: 'B', c: 'C' });
  await upload(media, { ü: 'U' });
  const image = imageOf(user, 'image');
  rmSync(path.join(image.media, 'a'));
  truncateSync(path.join(image.media, 'b'));
  writeFileSync(path.join(image.media, 'ü'), '\0');
  const { log, lines } = listeningLog();
  await using again = await UserMedia.open(image, log);
  assert.deepEqual(readFiles(image.media), { a: 'A', b: 'B', c: 'C', ü: 'U' });
  assert.equal(again.fileCount, 4);
  assert.ok(!existsSync(arrivalsFile(image.root)));
  assert.deepEqual(
    lines.map(({ fields }) => fields['names']),
    [['a', 'b', 'ü']],
  );
});

test('files that cannot be written leave no record of their batch, and can be sent again', async () => {
  using user = new TemporaryUser();
  {
    await using media = await UserMedia.open(user.folder, silentLog);
    rmSync(user.folder.incoming, { recursive: true });
    await assert.rejects(upload(media, { a: 'A', b: 'B' }), { code: 'ENOENT' });
    assert.deepEqual(readFiles(user.folder.media), {});
    assert.equal(media.fileCount, 0);
  }
  assert.ok(!existsSync(arrivalsFile(user.folder.root)));
  await using again = await UserMedia.open(user.folder, silentLog);
  await upload(again, { a: 'A', b: 'B' });
  assert.deepEqual(readFiles(user.folder.media), { a: 'A', b: 'B' });
});

test('after a kill all files are there without it, for whatever server goes on with the folder', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  await upload(media, { a: 'A', b: 'B' });
  const image = imageOf(user, 'image');
  assert.ok(existsSync(arrivalsFile(image.root)));
  assert.deepEqual(readFiles(image.media), { a: 'A', b: 'B' });
});

test('what has since been replaced or deleted does not come back', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  await upload(media, { a: 'A', b: 'B' });
  const old = readFileSync(arrivalsFile(user.folder.root));
  await upload(media, { a: 'AA', b: null });
  const image = imageOf(user, 'image');
  writeFileSync(arrivalsFile(image.root), old);
  await using _again = await UserMedia.open(image, silentLog);
  assert.deepEqual(readFiles(image.media), { a: 'AA' });
});

test('what is replaced is whole in the trash, also when the power fails right after', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  await upload(media, { a: 'A' });
  assert.ok(existsSync(arrivalsFile(user.folder.root)));
  await upload(media, { a: 'AA' });
  assert.ok(!existsSync(arrivalsFile(user.folder.root)), 'the file was brought to the disk before');
  const [batch] = await listTrash(user.folder.root);
  assert.deepEqual(readFiles(path.join(batch?.path ?? '', 'files')), { a: 'A' });
});

test('closing leaves the files alone', async () => {
  using user = new TemporaryUser();
  {
    await using media = await UserMedia.open(user.folder, silentLog);
    await upload(media, { a: 'A' });
  }
  assert.ok(!existsSync(arrivalsFile(user.folder.root)));
});

test('more batches than there is room for are all stored, and those that wait come back', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  const names = Array.from({ length: 30 }, (_, at) => `file ${at}`);
  for (const name of names) await upload(media, { [name]: name.repeat(300_000) });
  const image = imageOf(user, 'image');
  assert.ok(statSync(arrivalsFile(image.root)).size <= 32 * MiB);
  const waiting = new Set(Array.from(readArrivals(image.root), ({ name }) => name));
  assert.ok(waiting.has(names.at(-1) as MediaName) && !waiting.has(names[0] as MediaName));
  for (const name of waiting) rmSync(path.join(image.media, name));
  await using _again = await UserMedia.open(image, silentLog);
  const found = Object.entries(readFiles(image.media)).map(([name, text]) => text === name.repeat(300_000));
  assert.deepEqual(found, Array<boolean>(names.length).fill(true));
});

const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 5 });

test('a record that is damaged anywhere gives back whole files or none', async () => {
  using user = new TemporaryUser();
  await fc.assert(
    fc.asyncProperty(contents, fc.nat(), fc.nat({ max: 255 }), fc.boolean(), async (given, where, byte, isCut) => {
      const files = given.map((bytes, at): ArrivedFile => {
        return { name: `n${at}` as MediaName, bytes, sha1: sha1Of(bytes), size: bytes.length };
      });
      const arrivals = new Arrivals(user.folder, silentLog);
      await arrivals.record(files);
      arrivals.dropped();
      const file = arrivalsFile(user.folder.root);
      assert.deepEqual(
        Array.from(readArrivals(user.folder.root), ({ name, bytes }) => [name, new Uint8Array(bytes)]),
        files.map(({ name, bytes }) => [name, new Uint8Array(bytes)]),
      );
      const damaged = readFileSync(file);
      damaged[where % damaged.length] = byte;
      writeFileSync(file, isCut ? damaged.subarray(0, where % damaged.length) : damaged);
      for (const { name, sha1, bytes } of readArrivals(user.folder.root)) {
        assert.equal(sha1Of(bytes), sha1);
        assert.ok(files.some((one) => one.name === name && one.sha1 === sha1));
      }
      await arrivals.close();
    }),
    { numRuns: 100 },
  );
});

test('a file that only looks like a record is not believed', () => {
  using user = new TemporaryUser();
  const lists = ['no JSON', '1', '[1]', '[{"name":"../x","sha1":"","size":1}]', '[{"name":"x","sha1":"","size":1e12}]'];
  for (const list of lists) {
    const head = Buffer.alloc(8);
    head.write('ARRV');
    head.writeUInt32LE(list.length, 4);
    const record = Buffer.concat([head, Buffer.from(sha1Of(list), 'hex'), Buffer.from(list)]);
    const bytes = Buffer.alloc(3 * 4096);
    for (let at = 0; at < bytes.length; at += 4096) record.copy(bytes, at);
    writeFileSync(arrivalsFile(user.folder.root), bytes);
    assert.deepEqual([...readArrivals(user.folder.root)], [], list);
  }
});

test('without a record there is nothing to read', () => {
  using user = new TemporaryUser();
  assert.deepEqual([...readArrivals(user.folder.root)], []);
});
