import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { MiB } from '../../src/limits.ts';
import { type UploadFile, uploadFile } from '../safety/script.ts';
import { SyncDevice, sanityList } from '../safety/sync-device.ts';
import { CALLS_OF_ERROR, Faults } from '../support/faults/faults.ts';
import { skipWithoutFaults } from '../support/faults/faults-library.ts';
import { newSessionKey, type RawClient } from '../support/raw-client.ts';
import { type Server, startServer } from '../support/server.ts';
import { lineOf, summariesIn } from './log-reader.ts';

// Each test has an account of its own, with a collection that a device has uploaded.
const users = Array.from({ length: 20 }, (_, index) => `ann${index}`);
let server: Server;
let file: UploadFile;
let user = '';
let client: RawClient;

before(async () => {
  file = await uploadFile('fresh-empty.anki2');
  server = await startServer({ kind: 'ours', users, passwords: 'plain' });
});
after(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  user = server.unusedUser();
  client = server.rawClient(user);
  await client.upload(file.bytes);
});

/** The line about the newest sync of this test's user, when there are so many. */
async function summary(count = 2): Promise<string> {
  const mine = () => summariesIn(server.log).filter((text) => text.startsWith(`${user}: `));
  await lineOf(
    {
      get log() {
        return mine().length >= count ? 'there' : '';
      },
    },
    /there/,
  );
  assert.equal(mine().length, count, mine().join('\n'));
  return (mine().at(-1) ?? '').replace(`${user}: desktop 26.09.3 on linux `, '');
}

async function begin(one: RawClient = client): Promise<void> {
  one.sessionKey = newSessionKey();
  await one.meta();
  await one.start(file.state.usn, true);
}

test('a sync that is cancelled on the device', async () => {
  await begin();
  await client.abort();
  assert.equal(await summary(), 'did not sync: rolled back, because it was cancelled on the device');
});

test('a sync that another device ends by its own', async () => {
  await begin();
  const other = server.rawClient(user);
  await begin(other);
  assert.equal(await summary(), 'did not sync: rolled back, because another sync began');
});

test('a sync that another one overtakes between its first two messages', async () => {
  await client.meta();
  const other = new SyncDevice(server.rawClient(user)).knowAs(file.state);
  await other.sync({ noteIds: [1_500_000_000_001] });
  await assert.rejects(client.start(file.state.usn, true), { status: 409 });
  assert.equal(await summary(3), 'did not sync, because another device has synced since its first message');
});

test('a sync whose counts differ', async () => {
  await begin();
  const check = await client.sanityCheck(sanityList({ ...file.state.counts, notes: 99 }));
  assert.equal(check.status, 'bad');
  assert.equal(await summary(), 'did not sync: rolled back, because the sanity check failed');
});

test('a sync with a message that cannot be carried out: the detail stands behind, quoted', async () => {
  await begin();
  const note = [1_500_000_000_001, 'guid', 404, 1_500_000_000, 0, '', 'field', '', '', 0, ''];
  await assert.rejects(client.applyChunk({ done: true, notes: [note] }), { status: 400 });
  assert.equal(await summary(), 'did not sync: rolled back, because applyChunk was refused');
  const line = await lineOf(server, new RegExp(`WARN +${user}: .*applyChunk was refused`));
  assert.match(line, / session="\w+" reason="Cannot merge note 1500000000001: its notetype 404 is missing"$/);
});

test('a normal sync that is done says how much was moved, and a second one that nothing was new', async () => {
  const device = new SyncDevice(client).knowAs(file.state);
  await device.sync({ noteIds: [1_500_000_000_001, 1_500_000_000_002], tags: ['a', 'b'] });
  assert.equal(
    await summary(),
    'synced: sent 2 reviews, 2 cards, 2 notes, 2 tags, got 1 deck, 6 notetypes, 1 preset, N s',
  );
  await device.sync();
  assert.equal(await summary(3), 'synced: nothing was new, N s');
});

test('an upload that is no collection, and one that ends half-way', async () => {
  assert.match(await client.upload(Buffer.from('nonsense')), /corrupt/);
  assert.equal(
    await summary(),
    'did not upload the whole collection, because upload was answered with a refusal; what is stored was not touched',
  );
  const line = await lineOf(server, new RegExp(`refused uri="/sync/upload".*uid="${user}"`));
  assert.match(line, /context="[^"]+" httpstatus=200/);
  await cutOffUpload();
  assert.equal(
    await summary(3),
    'did not upload the whole collection, because the connection was lost during upload; what is stored was not touched',
  );
});

test('a download that the device breaks off', async () => {
  await client.upload(await withAddOnData(file.bytes, 30 * MiB));
  const request = http.request(new URL('sync/download', server.url), { method: 'POST', headers: headers() });
  request.end(zstdCompressSync('{"_pad":null}'));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.on('error', () => {});
  await once(response, 'data');
  response.destroy();
  assert.equal(
    await summary(3),
    'did not download the whole collection, because the connection was lost during download',
  );
});

test('a client of a version that the server does not know', async () => {
  await assert.rejects(client.call('meta', { v: 99, cv: 'anki,99.1 (x),linux' }), { status: 501 });
  assert.equal(await summary(), 'did not sync, because meta was refused with status 501');
});

test('a media sync that is done, and one whose device counts differently', async () => {
  const device = new SyncDevice(client);
  await device.sendMedia([
    ['a.jpg', 'first'],
    ['b.jpg', 'second'],
  ]);
  await device.sendMedia([
    ['a.jpg', null],
    ['b.jpg', 'second'],
  ]);
  await client.call('msync/mediaSanity', { local: 1 });
  assert.equal(await summary(), 'synced media: sent 2 files, 11 bytes, deleted 1, N s');
  await client.call('msync/mediaChanges', { lastUsn: 0 });
  await client.call('msync/mediaSanity', { local: 7 });
  assert.equal(
    await summary(3),
    'did not finish syncing media, because device and server count different numbers of files; its next media sync compares them all; done so far: nothing was new',
  );
});

test('a media sync that asks for a file that is not there', async () => {
  await new SyncDevice(client).sendMedia([['a.jpg', 'first']]);
  const reply = await client.post('msync/downloadFiles', JSON.stringify({ files: ['gone" uid="eve'] }));
  assert.equal(reply.status, 409);
  assert.equal(
    await summary(),
    'did not finish syncing media, because downloadFiles was refused with status 409; done so far: sent 1 file, 5 bytes',
  );
  const line = await lineOf(server, new RegExp(`${user}: .*downloadFiles was refused`));
  assert.match(line, /reason="Cannot send media: not there: \[\\"gone\\\\\\" uid=\\\\\\"eve\\"\]"$/);
});

test('syncs that are open when the server stops', async () => {
  await using own = await startServer({ kind: 'ours', users: ['bob'], passwords: 'plain' });
  const bob = own.rawClient();
  await bob.upload(file.bytes);
  bob.sessionKey = newSessionKey();
  await bob.meta();
  await bob.start(file.state.usn, true);
  await new SyncDevice(bob).sendMedia([['a.jpg', 'first']]);
  await own.stop();
  assert.deepEqual(summariesIn(own.log).slice(1), [
    'bob: desktop 26.09.3 on linux did not sync: rolled back, because the server stopped',
    'bob: desktop 26.09.3 on linux did not finish syncing media, because the server stopped; done so far: sent 1 file, 5 bytes',
  ]);
});

function headers(): Record<string, string> {
  const key = { v: 11, k: client.hostKey, c: '26.09.3,test,linux', s: newSessionKey() };
  return { 'anki-sync': JSON.stringify(key), 'content-type': 'application/octet-stream' };
}

/** A collection with so much data of an add-on that an answer does not fit into the buffers of a connection. */
async function withAddOnData(collection: Uint8Array, bytes: number): Promise<Buffer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'monitoring-'));
  try {
    const copy = path.join(folder, 'collection.anki2');
    await writeFile(copy, collection);
    const db = new DatabaseSync(copy);
    db.exec('CREATE TABLE add_on (data BLOB)');
    db.prepare('INSERT INTO add_on VALUES (randomblob(?))').run(bytes);
    db.close();
    return await readFile(copy);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Sends the beginning of an upload and goes away. */
async function cutOffUpload(): Promise<void> {
  const request = http.request(new URL('sync/upload', server.url), { method: 'POST', headers: headers() });
  request.on('error', () => {});
  request.write(Buffer.from('28b52ffd0058', 'hex'), () => setTimeout(() => request.destroy(), 100));
  await new Promise((resolve) => request.once('close', resolve));
}

test('syncs that fail because the disk is full: an error with the cause, and a warning with the sync', {
  skip: skipWithoutFaults(),
}, async () => {
  const base = await mkdtemp(path.join(tmpdir(), 'full-'));
  using faults = new Faults(base);
  try {
    await using own = await startServer({
      kind: 'ours',
      base,
      users: ['bob'],
      passwords: 'plain',
      env: faults.environment,
    });
    const bob = own.rawClient();
    await bob.upload(file.bytes);
    await lineOf(own, /Made a backup/);
    await begin(bob);
    await bob.applyChunk({ done: true, revlog: [[1_500_000_000_001, 1, 0, 3, 10, 0, 2500, 5000, 1]] });
    faults.arm({ mode: 'fail from', at: 1, calls: CALLS_OF_ERROR.ENOSPC, error: 'ENOSPC' });
    await assert.rejects(bob.finish(), { status: 500 });
    const summary = await lineOf(
      own,
      /WARN +bob: desktop 26\.09\.3 on linux did not sync: rolled back, because finish failed/,
    );
    assert.match(summary, / reason="[^"]*full/);
    const request = await lineOf(own, /ERROR failed uri="\/sync\/finish"/);
    assert.match(request, / context="[^"]*full.*" httpstatus=500 /);
    faults.disarm();
  } finally {
    await rm(base, { recursive: true, force: true });
  }
});
