import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { listeningLog, sha1Of, TemporaryUser } from '../../test/support/media.ts';
import { silentLog } from '../log.ts';
import type { MediaName } from './media-name.ts';
import { counterOfNewIndex, indexesSetAside } from './rebuild-index.ts';
import { UserMedia } from './user-media.ts';

const nowMs = Date.UTC(2026, 10, 23, 14, 30, 55);
const options = { nowMs: () => nowMs };

/** A user with two files, whose index is closed. */
async function userWithFiles(): Promise<TemporaryUser> {
  const user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog, options);
  await media.upload([
    { name: 'a.jpg' as MediaName, content: user.received('A') },
    { name: '日本.png' as MediaName, content: user.received('J') },
  ]);
  return user;
}

const losses: Readonly<Record<string, (file: string) => void>> = {
  missing: (file) => rmSync(file),
  empty: (file) => writeFileSync(file, ''),
  'of nothing but zeros': (file) => writeFileSync(file, Buffer.alloc(8192)),
  'cut off': (file) => writeFileSync(file, readFileSync(file).subarray(0, 4096)),
  'without its header': (file) => writeFileSync(file, readFileSync(file).fill(0xff, 0, 100)),
};

for (const [what, damage] of Object.entries(losses)) {
  test(`a media index that is ${what} is made anew from the files, and nothing of it is thrown away`, async () => {
    using user = await userWithFiles();
    damage(user.folder.mediaDb);
    const damaged = what === 'missing' ? undefined : readFileSync(user.folder.mediaDb);
    const { log, lines } = listeningLog();
    await using media = await UserMedia.open(user.folder, log, options);
    const first = counterOfNewIndex(nowMs) + 1;
    assert.deepEqual(media.changesAfter(2), [
      { name: 'a.jpg', usn: first, sha1: sha1Of('A') },
      { name: '日本.png', usn: first + 1, sha1: sha1Of('J') },
    ]);
    assert.deepEqual([media.lastUsn, media.fileCount], [first + 1, 2]);
    assert.equal((await media.download(['a.jpg', '日本.png'])).kind, 'bytes');
    const [line] = lines;
    assert.equal(line?.level, 'error');
    assert.deepEqual([line?.fields['path'], line?.fields['files']], [user.folder.mediaDb, 2]);
    const kept = await indexesSetAside(user.folder);
    assert.deepEqual(
      kept.map((file) => readFileSync(file)),
      damaged === undefined ? [] : [damaged],
    );
  });
}

test('a log beside a lost index is not mixed into the new one, and is kept', async () => {
  using user = await userWithFiles();
  rmSync(user.folder.mediaDb);
  writeFileSync(`${user.folder.mediaDb}-wal`, 'left behind');
  await using media = await UserMedia.open(user.folder, silentLog, options);
  assert.equal(media.fileCount, 2);
  const [kept = ''] = await indexesSetAside(user.folder);
  assert.equal(readFileSync(kept, 'utf8'), 'left behind');
});

test('an index made anew tells of what clients could have sent, and leaves the rest in its place', async () => {
  using user = await userWithFiles();
  const foreign = ['empty', 'decomposed-a\u0308', `.${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}.part`, '[]'];
  for (const name of foreign) writeFileSync(path.join(user.folder.media, name), name === 'empty' ? '' : 'x');
  mkdirSync(path.join(user.folder.media, 'folder'));
  rmSync(user.folder.mediaDb);
  await using media = await UserMedia.open(user.folder, silentLog, options);
  assert.equal(media.fileCount, 2);
  for (const name of [...foreign, 'folder']) assert.ok(readdirSync(user.folder.media).includes(name), name);
});

test('a user without media gets an ordinary index, also when the first one was cut off', async () => {
  for (const make of [() => {}, (file: string) => writeFileSync(file, '')]) {
    using user = new TemporaryUser();
    make(user.folder.mediaDb);
    const { log, lines } = listeningLog();
    await using media = await UserMedia.open(user.folder, log, options);
    assert.deepEqual([media.lastUsn, media.fileCount, lines], [0, 0, []]);
    assert.deepEqual(await indexesSetAside(user.folder), []);
  }
});

test('damage inside an index is found by a close look, and an index that is well passes it', async () => {
  using user = await userWithFiles();
  {
    await using media = await UserMedia.open(user.folder, silentLog, { ...options, isSuspect: true });
    assert.equal(media.lastUsn, 2);
  }
  const bytes = readFileSync(user.folder.mediaDb);
  // The index over the usns: the third page of the file.
  writeFileSync(user.folder.mediaDb, bytes.fill(0, 2 * 4096, 3 * 4096));
  await using media = await UserMedia.open(user.folder, silentLog, { ...options, isSuspect: true });
  assert.equal(media.fileCount, 2);
  assert.equal((await indexesSetAside(user.folder)).length, 1);
});

test('the counter of an index made anew is above those of all earlier ones, for as long as clients can hold it', () => {
  assert.ok(counterOfNewIndex(Date.UTC(2026, 0, 1)) > 10_000_000);
  assert.ok(counterOfNewIndex(Date.UTC(2600, 0, 1)) < 2 ** 31 - 10_000_000);
});
