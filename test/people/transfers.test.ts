import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { makeLargeCollection } from '../memory/large-collection.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Server } from '../support/server.ts';
import { addUser, DataFolder, ownerDoes, serverFor, statusOf, tryLogin } from './owner.ts';

const collection = path.join(import.meta.dirname, '../fixtures/collections/fresh-empty.anki2');
/** More than buffers between two programs hold, even compressed. */
const largeBytes = 40 * 1024 * 1024;

/** A message whose body is written, or whose answer is read, at the test's own pace. */
function begin(server: Server, hostKey: string, method: string): http.ClientRequest {
  const header = JSON.stringify({ v: 11, k: hostKey, c: '26.09.3,test,linux', s: 'slow' });
  const headers = { 'anki-sync': header, 'content-type': 'application/octet-stream' };
  return http.request(new URL(`sync/${method}`, server.url), { method: 'POST', headers, agent: false });
}

/** How the request ended: a status, or `cut`. */
function endOf(request: http.ClientRequest): Promise<number | 'cut'> {
  return new Promise((resolve) => {
    request.on('response', (response) => {
      response.resume();
      response.on('error', () => resolve('cut'));
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', () => resolve('cut'));
  });
}

describe('Access that ends in the middle of a transfer', () => {
  let folder: DataFolder;
  let server: Server;
  before(async () => {
    folder = new DataFolder();
    await addUser(folder, 'first', 'pw');
    server = await serverFor(folder);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function userWithCollection(user: string, file = collection): Promise<RawClient> {
    await addUser(folder, user, 'pw');
    const raw = new RawClient(server.url, (await tryLogin(server, user, 'pw')).key);
    assert.equal(await raw.upload(await readFile(file)), 'OK');
    return raw;
  }

  test('an upload of a revoked device does not replace the collection', async () => {
    const raw = await userWithCollection('ann');
    const before = await raw.meta();
    const upload = begin(server, raw.hostKey, 'upload');
    const ended = endOf(upload);
    const body = zstdCompressSync(await readFile(collection));
    upload.write(body.subarray(0, body.length - 10));
    await sleep(200);
    await ownerDoes(folder, ['device', 'revoke', 'ann', '--all']);
    assert.equal(await ended, 'cut');
    upload.end(body.subarray(-10));
    const again = new RawClient(server.url, (await tryLogin(server, 'ann', 'pw')).key);
    const { mod, usn } = await again.meta();
    assert.deepEqual([mod, usn], [before.mod, before.usn]);
  });

  test('a download ends with the access, and a slow one does not keep a user from being renamed', async () => {
    const large = path.join(folder.base, '.large.anki2');
    makeLargeCollection(large, largeBytes);
    const raw = await userWithCollection('bob', large);
    rmSync(large);
    const download = begin(server, raw.hostKey, 'download');
    const response = new Promise<http.IncomingMessage>((resolve) => download.once('response', resolve));
    download.end(zstdCompressSync('{"_pad":null}'));
    const answer = await response;
    answer.pause();
    const ended = new Promise((resolve) => answer.once('error', resolve));
    await ownerDoes(folder, ['user', 'rename', 'bob', 'Bob']);
    answer.resume();
    await ended;
    assert.ok(existsSync(path.join(folder.base, 'Bob/collection.anki2')) && !existsSync(path.join(folder.base, 'bob')));
    assert.equal(await statusOf(server, raw.hostKey), 200);
    assert.ok((await raw.download()).length >= largeBytes, 'it is whole');
  });
});
