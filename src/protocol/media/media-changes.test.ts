import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha1Of, TemporaryUser, uploadZip } from '../../../test/support/media.ts';
import { ask, bodyOf, mediaMessage } from '../../../test/support/media-messages.ts';
import { silentLog } from '../../log.ts';
import { MediaDb } from '../../media/media-db.ts';
import { UserMedia } from '../../media/user-media.ts';
import type { Message } from '../message.ts';
import { begin } from './begin.ts';
import { answerMediaMessage } from './media-messages.ts';

test('begin tells the counter and hands out the host key again', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  const text = async (message: Message) => bodyOf(await begin(message, media)).toString();
  const message = mediaMessage(user.folder, 'begin', { v: 'anki,26.09.3' });
  assert.equal(await text(message), '{"data":{"usn":0,"sk":"the host key"},"err":""}');
  await ask(media, user.folder, 'uploadChanges', uploadZip([['a', 'A']]));
  assert.equal(await text(message), '{"data":{"usn":1,"sk":"the host key"},"err":""}');
});

test('begin needs the version of the client: current ones say it in the message, old ones beside it', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  const send = (dress: Message['dress'], clientVersion: string, payload: unknown) =>
    begin({ ...mediaMessage(user.folder, 'begin', payload), dress, clientVersion }, media);
  await send('modern', '', { v: 'x' });
  await send('legacy', 'ankidesktop,2.1.15', {});
  await send('legacy', 'ankidroid,2.15', Buffer.from('not even JSON'));
  await send('legacy', '', { v: 'x' });
  for (const payload of [{}, { v: '' }, { v: null }, { v: 1 }, Buffer.from('{'), Buffer.alloc(0)]) {
    await assert.rejects(send('modern', 'x', payload), { code: 'malformedRequest' });
    await assert.rejects(send('legacy', '', payload), { code: 'malformedRequest' });
  }
});

test('every change of a file is listed once, at its last usn, in rising order', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  const list = (lastUsn: number) => ask(media, user.folder, 'mediaChanges', { lastUsn });
  assert.deepEqual(await list(0), { data: [], err: '' });
  await ask(
    media,
    user.folder,
    'uploadChanges',
    uploadZip([
      ['b', 'B'],
      ['ü', 'U'],
      ['a', 'A'],
    ]),
  );
  await ask(
    media,
    user.folder,
    'uploadChanges',
    uploadZip([
      ['b', null],
      ['ü', 'UU'],
    ]),
  );
  const rows = [
    ['a', 3, sha1Of('A')],
    ['b', 4, ''],
    ['ü', 5, sha1Of('UU')],
  ];
  for (const after of [-1, 0, 2]) assert.deepEqual(await list(after), { data: rows, err: '' });
  assert.deepEqual(await list(4), { data: rows.slice(2), err: '' });
  for (const after of [5, 999, 0x7fff_ffff]) assert.deepEqual(await list(after), { data: [], err: '' });
});

test('a client that goes on from the last record gets all changes, a thousand at a time', async () => {
  using user = new TemporaryUser();
  {
    using db = new MediaDb(user.folder.mediaDb);
    const rows = Array.from({ length: 1275 }, (_, index) => {
      return [`f${index}`, { sha1: sha1Of(`${index}`), size: 1, usn: index + 1, mtimeSecs: 0 }] as const;
    });
    db.save({ usnBefore: 0, usnAfter: 1275, entries: new Map(rows) });
  }
  await using media = await UserMedia.open(user.folder, silentLog);
  await ask(
    media,
    user.folder,
    'uploadChanges',
    uploadZip([
      ['f0', 'changed'],
      ['f500', null],
    ]),
  );
  const pages: [string, number, string][][] = [];
  for (let lastUsn = 0; ; ) {
    const { data } = (await ask(media, user.folder, 'mediaChanges', { lastUsn })) as {
      data: [string, number, string][];
    };
    if (data.length === 0) break;
    pages.push(data);
    lastUsn = data.at(-1)?.[1] ?? 0;
  }
  assert.deepEqual(
    pages.map((page) => page.length),
    [1000, 275],
  );
  const rows = pages.flat();
  assert.equal(new Set(rows.map(([name]) => name)).size, 1275);
  assert.ok(rows.every(([, usn], index) => usn > (rows[index - 1]?.[1] ?? 0)));
  assert.deepEqual(
    rows.slice(-2).map(([name, usn]) => [name, usn]),
    [
      ['f0', 1276],
      ['f500', 1277],
    ],
  );
});

test('the sanity check compares the number of files, without deleted ones', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  const check = (local: number) => ask(media, user.folder, 'mediaSanity', { local });
  assert.deepEqual(await check(0), { data: 'OK', err: '' });
  await ask(
    media,
    user.folder,
    'uploadChanges',
    uploadZip([
      ['a', 'A'],
      ['b', 'B'],
      ['c', 'C'],
    ]),
  );
  await ask(media, user.folder, 'uploadChanges', uploadZip([['b', null]]));
  assert.deepEqual(await check(2), { data: 'OK', err: '' });
  for (const local of [0, 1, 3, 0xffff_ffff]) assert.deepEqual(await check(local), { data: 'mediaSanity', err: '' });
});

test('numbers that are none, and messages that are none, are malformed', async () => {
  using user = new TemporaryUser();
  await using media = await UserMedia.open(user.folder, silentLog);
  const raw = (text: string) => Buffer.from(text);
  const messages = [
    [
      'mediaChanges',
      ['{}', '{"lastUsn":"0"}', '{"lastUsn":null}', '{"lastUsn":0.0}', '{"lastUsn":2147483648}', '[', ''],
    ],
    ['mediaSanity', ['{}', '{"local":-1}', '{"local":"3"}', '{"local":3.0}', '{"local":null}', '{"local":4294967296}']],
  ] as const;
  for (const [method, payloads] of messages) {
    for (const payload of payloads) {
      const message = mediaMessage(user.folder, method, raw(payload));
      await assert.rejects(answerMediaMessage(message, media), { code: 'malformedRequest' }, `${method} ${payload}`);
    }
  }
  assert.deepEqual(await ask(media, user.folder, 'mediaChanges', { lastUsn: 0, x: 1 }), { data: [], err: '' });
});
