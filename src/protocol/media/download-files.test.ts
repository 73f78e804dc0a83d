import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TemporaryUser, uploadZip } from '../../../test/support/media.ts';
import { ask, bodyOf, mediaFileMessage, mediaMessage, readZipEntries } from '../../../test/support/media-messages.ts';
import { MiB, mediaZipSoftBytesMax } from '../../limits.ts';
import { silentLog } from '../../log.ts';
import { UserMedia } from '../../media/user-media.ts';
import type { Answer } from '../message.ts';
import { downloadFiles } from './download-files.ts';
import { uploadChanges } from './upload-changes.ts';

test('the zip holds the files in the order asked for, stored, and tells their names', async () => {
  await using box = await Box.open({ 'a.txt': 'AAA', 'ü.txt': 'UUU', x: 'X' });
  const entries = await readZipEntries(bodyOf(await box.download('ü.txt', 'a.txt', 'ü.txt')));
  assert.deepEqual(
    entries.map(({ name, content, method }) => [name, content.toString(), method]),
    [
      ['0', 'UUU', 0],
      ['1', 'AAA', 0],
      ['2', 'UUU', 0],
      ['_meta', '{"0":"ü.txt","1":"a.txt","2":"ü.txt"}', 0],
    ],
  );
});

test('an empty list gets a zip with nothing but an empty _meta', async () => {
  await using box = await Box.open({});
  const entries = await readZipEntries(bodyOf(await box.download()));
  assert.deepEqual(
    entries.map(({ name, content }) => [name, content.toString()]),
    [['_meta', '{}']],
  );
});

test('25 files of 1 MiB: exactly the first three come', async () => {
  await using box = await Box.open({});
  const names = Array.from({ length: 25 }, (_, index) => `big${index}`);
  for (const name of names) await box.upload({ [name]: Buffer.alloc(MiB, name) });
  assert.deepEqual(await box.namesSent(...names), names.slice(0, 3));
  assert.deepEqual(await box.namesSent(...names.slice(3)), names.slice(3, 6));
});

test('the file that passes 2.5 MiB is the last one, however large', async () => {
  const soft = mediaZipSoftBytesMax;
  await using box = await Box.open({
    soft: Buffer.alloc(soft, 's'),
    over: Buffer.alloc(soft + 1, 'o'),
    tiny: 't',
    a: 'A',
  });
  assert.deepEqual(await box.namesSent('soft', 'tiny', 'a'), ['soft', 'tiny']);
  assert.deepEqual(await box.namesSent('over', 'tiny'), ['over']);
  assert.deepEqual(await box.namesSent('over', 'a name that nobody knows'), ['over']);
});

test('a large file is sent from a temporary file, which the transport deletes', async () => {
  const large = Buffer.alloc(9 * MiB, 'large');
  await using box = await Box.open({ small: 'S', large });
  const answer = await box.download('small', 'large', 'small');
  assert.ok(answer.kind === 'file' && answer.afterwards === 'delete');
  assert.equal(path.dirname(answer.path), box.user.folder.incoming);
  assert.equal(statSync(answer.path).size, answer.byteLength);
  const [small, second, meta] = await readZipEntries(bodyOf(answer));
  assert.equal(small?.content.toString(), 'S');
  assert.ok(second?.content.equals(large));
  assert.equal(meta?.content.toString(), '{"0":"small","1":"large"}');
  assert.deepEqual(readdirSync(box.user.folder.incoming), []);
});

test('a file that is unknown, deleted, lost or damaged is a conflict for the whole list', async () => {
  await using box = await Box.open({ a: 'A', gone: 'G', lost: 'L', large: Buffer.alloc(5 * MiB), é: 'E' });
  await box.upload({ gone: null });
  const { media } = box.user.folder;
  unlinkSync(path.join(media, 'lost'));
  writeFileSync(path.join(media, 'large'), Buffer.alloc(5 * MiB, 1));
  for (const name of ['unknown', 'gone', 'lost', 'large', 'e\u0301', '../media.db', '']) {
    await assert.rejects(box.download('a', name), { code: 'syncConflict' }, name);
  }
  assert.deepEqual(await box.namesSent('a', 'é'), ['a', 'é']);
  assert.deepEqual(readdirSync(box.user.folder.incoming), []);
});

test('a lost file is no longer listed or counted, and another counter makes every device compare', async () => {
  await using box = await Box.open({ a: 'A', lost: 'L' });
  rmSync(path.join(box.user.folder.media, 'lost'));
  await assert.rejects(box.download('a', 'lost'), { code: 'syncConflict' });
  const listing = { data: [['a', 1, '6dcd4ce23d88e2ee9568ba546c007c63d9131c1b']], err: '' };
  assert.deepEqual(await ask(box.media, box.user.folder, 'mediaChanges', { lastUsn: 0 }), listing);
  assert.deepEqual(await ask(box.media, box.user.folder, 'mediaSanity', { local: 1 }), { data: 'OK', err: '' });
  assert.equal(box.media.lastUsn, 3);
});

test('more than 25 names, and lists that are none, are malformed', async () => {
  await using box = await Box.open({ a: 'A' });
  assert.equal((await box.namesSent(...Array<string>(25).fill('a'))).length, 25);
  for (const files of [Array<string>(26).fill('a'), 'a', [1], [null], null, undefined, { 0: 'a' }]) {
    const message = mediaMessage(box.user.folder, 'downloadFiles', { files });
    await assert.rejects(downloadFiles(message, box.media), { code: 'malformedRequest' });
  }
});

type Files = Readonly<Record<string, string | Uint8Array | null>>;

/** A user with open media and some files. */
class Box implements AsyncDisposable {
  readonly user: TemporaryUser;
  readonly media: UserMedia;

  private constructor(user: TemporaryUser, media: UserMedia) {
    this.user = user;
    this.media = media;
  }

  static async open(files: Files): Promise<Box> {
    const user = new TemporaryUser();
    const box = new Box(user, await UserMedia.open(user.folder, silentLog));
    await box.upload(files);
    return box;
  }

  async upload(files: Files): Promise<void> {
    const zip = uploadZip(Object.entries(files), { method: 'deflated' });
    await uploadChanges(mediaFileMessage(this.user.folder, 'uploadChanges', zip), this.media);
  }

  async download(...files: string[]): Promise<Answer> {
    return downloadFiles(mediaMessage(this.user.folder, 'downloadFiles', { files }), this.media);
  }

  async namesSent(...files: string[]): Promise<string[]> {
    const entries = await readZipEntries(bodyOf(await this.download(...files)));
    const names: unknown = JSON.parse(entries.pop()?.content.toString() ?? '');
    assert.deepEqual(
      entries.map((entry) => entry.name),
      Object.keys(names as object),
    );
    return Object.values(names as Record<string, string>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.media[Symbol.asyncDispose]();
    this.user[Symbol.dispose]();
  }
}
