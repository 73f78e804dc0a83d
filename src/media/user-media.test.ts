import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { listeningLog, readFiles, sha1Of, TemporaryUser } from '../../test/support/media.ts';
import { silentLog } from '../log.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import type { MediaName } from './media-name.ts';
import type { BatchStep } from './media-store.ts';
import { listTrash, unfinishedBatchFile } from './media-trash.ts';
import { UserMedia, type UserMediaOptions } from './user-media.ts';

type Change = readonly [name: string, content: string | null];

test('files and index say the same after every upload, and after opening again', async () => {
  using user = new TemporaryUser();
  {
    await using media = await open(user);
    assert.equal(await upload(user, media, ['a.txt', 'A'], ['日本 ü.txt', 'J']), 2);
    assert.deepEqual(user.files(), { 'a.txt': 'A', '日本 ü.txt': 'J' });
    assert.equal(await upload(user, media, ['a.txt', 'A'], ['日本 ü.txt', 'J']), 2);
    assert.equal(await upload(user, media, ['a.txt', 'AA'], ['日本 ü.txt', 'J']), 3);
    assert.equal(await upload(user, media, ['nope', null]), 3);
    assert.equal(await upload(user, media, ['日本 ü.txt', null]), 4);
    assert.deepEqual(user.files(), { 'a.txt': 'AA' });
    assert.equal(await upload(user, media, ['x', '1'], ['x', '2'], ['x', null], ['x', '3']), 8);
    assert.deepEqual(user.files(), { 'a.txt': 'AA', x: '3' });
    assert.deepEqual([media.lastUsn, media.fileCount], [8, 2]);
  }
  await using again = await open(user);
  assert.deepEqual(
    again.changesAfter(0).map(({ name, usn, sha1 }) => [name, usn, sha1]),
    [
      ['a.txt', 3, sha1Of('AA')],
      ['日本 ü.txt', 4, undefined],
      ['x', 8, sha1Of('3')],
    ],
  );
  assert.deepEqual([again.lastUsn, again.fileCount], [8, 2]);
});

test('one content under two names makes two files', async () => {
  using user = new TemporaryUser();
  await using media = await open(user);
  const content = user.received('same');
  await media.upload(['one', 'two'].map((name) => ({ name: name as MediaName, content })));
  writeFileSync(path.join(user.folder.media, 'one'), 'written in place by another program');
  assert.equal(user.files()['two'], 'same');
});

test('what a client deletes or replaces is kept in the trash, with what it was', async () => {
  using user = new TemporaryUser();
  const nowMs = Date.UTC(2026, 10, 23, 14, 30, 55);
  await using media = await open(user, { nowMs: () => nowMs });
  await upload(user, media, ['a', 'old a'], ['b', 'old b'], ['c', 'c']);
  await upload(user, media, ['a', 'new a'], ['b', null], ['d', 'd']);
  assert.deepEqual(user.files(), { a: 'new a', c: 'c', d: 'd' });
  const [batch, ...more] = await listTrash(user.folder.root);
  assert.ok(batch !== undefined && more.length === 0);
  assert.deepEqual(readFiles(path.join(batch.path, 'files')), { a: 'old a', b: 'old b' });
  assert.match(batch.path, /media-trash[/\\]2026-11-23[/\\]143055-usn6-[0-9a-f]{8}$/);
  const mtimeSecs = nowMs / 1000;
  assert.deepEqual(batch.record.files, [
    { name: 'a', usn: 4, old: { sha1: sha1Of('old a'), size: 5, mtimeSecs }, newSha1: sha1Of('new a') },
    { name: 'b', usn: 5, old: { sha1: sha1Of('old b'), size: 5, mtimeSecs }, newSha1: null },
  ]);
  assert.deepEqual(readdirSync(user.folder.incoming), []);
});

test('a file that is not in the index gives way to an upload and is kept; the same bytes stay where they are', async () => {
  using user = new TemporaryUser();
  await using media = await open(user);
  writeFileSync(path.join(user.folder.media, 'stray'), 'put here by hand');
  writeFileSync(path.join(user.folder.media, 'same'), 'same');
  assert.equal(await upload(user, media, ['stray', 'from a client'], ['same', 'same']), 2);
  assert.deepEqual(user.files(), { same: 'same', stray: 'from a client' });
  const trash = await listTrash(user.folder.root);
  assert.deepEqual(
    trash.map((batch) => readFiles(path.join(batch.path, 'files'))),
    [{ stray: 'put here by hand' }],
  );
});

test('each file that goes is told to the log, and all others of an upload together', async () => {
  using user = new TemporaryUser();
  const { log, lines } = listeningLog();
  await using media = await UserMedia.open(user.folder, log);
  await upload(user, media, ['a', '1'], ['b', '1'], ['a', '1'], ['a', '2'], ['a', null], ['a', null]);
  const { user: name } = user.folder;
  const [filename, one, two] = ['a', sha1Of('1'), sha1Of('2')];
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields]),
    [
      ['info', { user: name, filename, old_sha1: one, new_sha1: two }],
      ['info', { user: name, filename, sha1: two }],
      ['debug', { user: name, added: ['a', 'b'], unchanged: ['a'], absent: ['a'] }],
    ],
  );
});

test('a file that is missing is forgotten, and can be sent again', async () => {
  using user = new TemporaryUser();
  await using media = await open(user);
  await upload(user, media, ['a', 'A'], ['lost', 'L'], ['lost too', 'L'], ['b', 'B']);
  unlinkSync(path.join(user.folder.media, 'lost'));
  unlinkSync(path.join(user.folder.media, 'lost too'));
  assert.deepEqual(await media.download(['a', 'lost', 'lost too']), {
    kind: 'unavailable',
    names: ['lost', 'lost too'],
  });
  // A device that was in step sees another counter, looks, and finds that the numbers of files differ.
  assert.deepEqual([media.lastUsn, media.fileCount], [5, 2]);
  assert.deepEqual(
    media.changesAfter(0).map(({ name, usn, sha1 }) => [name, usn, sha1]),
    [
      ['a', 1, sha1Of('A')],
      ['b', 4, sha1Of('B')],
    ],
  );
  assert.deepEqual(await media.download(['lost']), { kind: 'unavailable', names: ['lost'] });
  assert.equal(await upload(user, media, ['lost', 'L']), 6);
  assert.equal((await media.download(['lost'])).kind, 'bytes');
});

test('bytes that are not those of the index are never sent; they go to the trash', async () => {
  using user = new TemporaryUser();
  await using media = await open(user);
  await upload(user, media, ['cut', 'whole'], ['rotten', 'good'], ['a', 'A']);
  writeFileSync(path.join(user.folder.media, 'cut'), 'who');
  writeFileSync(path.join(user.folder.media, 'rotten'), 'gold');
  assert.deepEqual(await media.download(['a', 'cut', 'rotten']), { kind: 'unavailable', names: ['cut', 'rotten'] });
  assert.deepEqual(user.files(), { a: 'A' });
  assert.equal(media.fileCount, 1);
  const [batch] = await listTrash(user.folder.root);
  assert.deepEqual(readFiles(path.join(batch?.path ?? '', 'files')), { cut: 'who', rotten: 'gold' });
});

test('a folder in place of a file counts as missing, and nothing of an upload to it stays', async () => {
  using user = new TemporaryUser();
  {
    await using media = await open(user);
    await upload(user, media, ['a', 'A']);
  }
  unlinkSync(path.join(user.folder.media, 'a'));
  mkdirSync(path.join(user.folder.media, 'a'));
  await using media = await open(user);
  assert.deepEqual(await media.download(['a']), { kind: 'unavailable', names: ['a'] });
  await assert.rejects(upload(user, media, ['a', 'A'], ['b', 'B']));
  assert.deepEqual([media.lastUsn, media.fileCount], [2, 0]);
  assert.deepEqual(readdirSync(user.folder.media), ['a']);
});

/** Every step at which an upload that adds, replaces and deletes can be stopped, in order. */
const STEPS: readonly BatchStep[] = [
  'prepared',
  'recorded',
  'kept',
  'moved',
  'moved',
  'moved',
  'synced',
  'committed',
  'removed',
  'closed',
];
const BEFORE: readonly Change[] = [
  ['replaced', 'old'],
  ['deleted', 'gone'],
  ['other', 'other'],
  ['replaced too', 'small'],
];
const CHANGES: readonly Change[] = [
  ['replaced', 'new'],
  ['added', 'fresh'],
  ['deleted', null],
  ['replaced too', 'much larger'],
];
const FILES_BEFORE = Object.fromEntries(BEFORE);
const FILES_AFTER = { replaced: 'new', added: 'fresh', other: 'other', 'replaced too': 'much larger' };

test('a crash at any step leaves all of an upload or none of it, and the same upload completes it', async () => {
  using user = new TemporaryUser();
  const images: { step: BatchStep; folder: UserFolder }[] = [];
  const seen: BatchStep[] = [];
  const onStep = (step: BatchStep) => {
    if (seen.push(step) <= 2 + BEFORE.length + 1) return; // The first upload: prepared, moved …, synced, committed.
    const folder = userFolder(user.beside(''), `image-${images.length}`);
    cpSync(user.folder.root, folder.root, { recursive: true });
    images.push({ step, folder });
  };
  await using media = await open(user, { onStep });
  await upload(user, media, ...BEFORE);
  await upload(user, media, ...CHANGES);
  assert.deepEqual(
    images.map((image) => image.step),
    STEPS,
  );
  const committedAt = STEPS.indexOf('committed');
  for (const [index, { step, folder }] of images.entries()) {
    const committed = index >= committedAt;
    await using reopened = await UserMedia.open(folder, silentLog);
    const files = readFiles(folder.media);
    if (!committed && step === 'moved') delete files['added']; // Spare: no entry points at it.
    if (!committed && step === 'synced') delete files['added'];
    assert.deepEqual(files, committed ? FILES_AFTER : FILES_BEFORE, step);
    assert.equal(reopened.lastUsn, committed ? 8 : 4, step);
    await assertAgreed(reopened, folder, ['added']);
    assert.ok(!readdirSync(folder.root).includes(path.basename(unfinishedBatchFile(folder.root))), step);
    const trash = await listTrash(folder.root);
    const kept = trash.map((batch) => readFiles(path.join(batch.path, 'files')));
    const displaced = { replaced: 'old', deleted: 'gone', 'replaced too': 'small' };
    assert.deepEqual(kept, committed ? [displaced] : [], step);

    assert.equal(await uploadTo(folder, reopened, CHANGES), 8, step);
    assert.deepEqual(readFiles(folder.media), FILES_AFTER, step);
    await assertAgreed(reopened, folder);
  }
});

test('an upload that fails at any step before the commit leaves everything as it was', async () => {
  for (const [index, failing] of STEPS.slice(0, STEPS.indexOf('committed')).entries()) {
    using user = new TemporaryUser();
    let failAt = Number.POSITIVE_INFINITY;
    let step = 0;
    const onStep = (name: BatchStep) => {
      if (step++ !== failAt) return;
      assert.equal(name, failing);
      throw new Error('disk full');
    };
    await using media = await open(user, { onStep });
    await upload(user, media, ...BEFORE);
    failAt = step + index;
    await assert.rejects(upload(user, media, ...CHANGES), /disk full/);
    assert.deepEqual(user.files(), FILES_BEFORE, failing);
    assert.equal(media.lastUsn, 4);
    await assertAgreed(media, user.folder);
    assert.deepEqual(await listTrash(user.folder.root), []);
    assert.ok(!readdirSync(user.folder.root).includes('media-batch.json'));
    assert.equal(await upload(user, media, ...CHANGES), 8);
    assert.deepEqual(user.files(), FILES_AFTER);
  }
});

test('trouble after the commit does not fail the upload; the next opening cleans up', async () => {
  using user = new TemporaryUser();
  const onStep = (step: BatchStep) => {
    if (step === 'removed') throw new Error('no');
  };
  {
    await using media = await open(user, { onStep });
    await upload(user, media, ...BEFORE);
    assert.equal(await upload(user, media, ...CHANGES), 8);
  }
  assert.ok(readdirSync(user.folder.root).includes('media-batch.json'));
  const { log, lines } = listeningLog();
  await using media = await UserMedia.open(user.folder, log);
  assert.deepEqual(user.files(), FILES_AFTER);
  assert.equal((await listTrash(user.folder.root)).length, 1);
  assert.match(lines.map((line) => line.text).join(), /Settled a media batch/);
  await assertAgreed(media, user.folder);
});

test('a record that cannot be read is put aside, not obeyed', async () => {
  for (const text of [
    '{',
    '{"version":1,"at":"","folder":"../..","files":[]}',
    '{"version":1,"at":"","folder":"x","files":[{"name":"../media.db"}]}',
  ]) {
    using user = new TemporaryUser();
    writeFileSync(unfinishedBatchFile(user.folder.root), text);
    const { log, lines } = listeningLog();
    await using media = await UserMedia.open(user.folder, log);
    assert.equal(await upload(user, media, ['a', 'A']), 1);
    assert.equal(lines[0]?.level, 'error');
    const aside = readdirSync(user.folder.root).find((name) => name.startsWith('media-batch.json.unreadable-'));
    assert.equal(readFileSync(path.join(user.folder.root, aside ?? ''), 'utf8'), text);
  }
});

test('a media folder on another disk works as well', { skip: process.platform !== 'linux' }, async (context) => {
  using user = new TemporaryUser();
  const elsewhere = path.join('/dev/shm', `anki-media-test-${process.pid}`);
  try {
    mkdirSync(elsewhere);
  } catch {
    return context.skip('there is no other disk');
  }
  try {
    const { symlinkSync } = await import('node:fs');
    symlinkSync(elsewhere, user.folder.media);
    await using media = await open(user);
    await upload(user, media, ...BEFORE);
    await upload(user, media, ...CHANGES);
    assert.deepEqual(user.files(), FILES_AFTER);
    await assertAgreed(media, user.folder);
    const [batch] = await listTrash(user.folder.root);
    assert.deepEqual(Object.keys(readFiles(path.join(batch?.path ?? '', 'files'))), [
      'deleted',
      'replaced',
      'replaced too',
    ]);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

async function open(user: TemporaryUser, options?: UserMediaOptions): Promise<UserMedia> {
  return UserMedia.open(user.folder, silentLog, options);
}

async function upload(user: TemporaryUser, media: UserMedia, ...changes: Change[]): Promise<number> {
  return uploadTo(user.folder, media, changes);
}

async function uploadTo(folder: UserFolder, media: UserMedia, changes: readonly Change[]): Promise<number> {
  const received = changes.map(([name, text]) => {
    if (text === null) return { name: name as MediaName, content: undefined };
    const file = media.temporaryPath();
    writeFileSync(file, text);
    return { name: name as MediaName, content: { path: file, sha1: sha1Of(text), size: text.length } };
  });
  try {
    return (await media.upload(received)).usn;
  } finally {
    for (const { content } of received) if (content !== undefined) rmSync(content.path, { force: true });
    assert.deepEqual(
      readdirSync(folder.incoming).filter((name) => !name.startsWith('media-')),
      [],
    );
  }
}

/** Each entry has exactly its bytes, and no file is there without an entry but the spare ones named. */
async function assertAgreed(media: UserMedia, folder: UserFolder, spare: readonly string[] = []): Promise<void> {
  const entries = media.changesAfter(0).filter((change) => change.sha1 !== undefined);
  const files = readFiles(folder.media);
  assert.equal(media.fileCount, entries.length);
  for (const { name, sha1 } of entries) assert.equal(sha1Of(Buffer.from(files[name] ?? '', 'latin1')), sha1, name);
  const names = new Set(entries.map((entry) => entry.name));
  assert.deepEqual(
    Object.keys(files).filter((name) => !names.has(name) && !spare.includes(name)),
    [],
  );
}
