import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { hostKeyOf } from '../../src/accounts/accounts.ts';
import { newestClient } from '../support/clients.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { type Server, startServer } from '../support/server.ts';
import { addUser, DataFolder, ownerDoes, serverFor, statusOf, tryLogin } from './owner.ts';

before(() => preparePythonEnv(newestClient));

function officialServer({ base }: DataFolder, env: Readonly<Record<string, string>>): Promise<Server> {
  return startServer({ kind: 'official', base, users: [], passwords: 'plain', env });
}

test('the printed hash lets the user in, on this server and on the official one, with the same key', async () => {
  using folder = new DataFolder();
  const hash = (await ownerDoes(folder, ['hash'], { input: 'päss wörd\n' })).trimEnd();
  assert.match(hash, /^\$pbkdf2-sha256\$i=600000,l=32\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  const env = { SYNC_USER1: `ann:${hash}`, PASSWORDS_HASHED: '1' };
  for (const kind of ['ours', 'official'] as const) {
    await using server = await startServer({ kind, base: folder.base, users: [], passwords: 'plain', env });
    assert.deepEqual(await tryLogin(server, 'ann', 'päss wörd'), { status: 200, key: hostKeyOf(`ann:${hash}`) }, kind);
    assert.equal((await tryLogin(server, 'ann', 'other')).status, 403, kind);
  }
});

test('the official server goes on with the devices of environment users, beside stored ones', async () => {
  using folder = new DataFolder();
  const env = { SYNC_USER1: 'eve:secret' };
  let key = '';
  {
    await addUser(folder, 'ann', 'pw');
    await using server = await serverFor(folder, { env });
    ({ key } = await tryLogin(server, 'eve', 'secret'));
    assert.equal((await tryLogin(server, 'ann', 'pw')).status, 200);
    await ownerDoes(folder, ['user', 'rename', 'ann', 'Anna']);
  }
  await using server = await officialServer(folder, env);
  assert.equal(await statusOf(server, key), 200);
  assert.deepEqual(await tryLogin(server, 'eve', 'secret'), { status: 200, key });
  assert.equal((await tryLogin(server, 'Anna', 'pw')).status, 403);
});

test('with SYNC_DEVICE_KEYS=on the key that the official server gave is refused, and each device gets its own', async () => {
  using folder = new DataFolder();
  const env = { SYNC_USER1: 'eve:secret' };
  const derived = hostKeyOf('eve:secret');
  const keys: string[] = [];
  {
    await using server = await serverFor(folder, { env: { ...env, SYNC_DEVICE_KEYS: 'on' } });
    assert.equal(await statusOf(server, derived), 403);
    for (let n = 0; n < 2; n++) keys.push((await tryLogin(server, 'eve', 'secret')).key);
    await ownerDoes(folder, ['device', 'revoke', 'eve', '1']);
    assert.deepEqual([await statusOf(server, keys[0] ?? ''), await statusOf(server, keys[1] ?? '')], [403, 200]);
    await server.restart();
    assert.deepEqual([await statusOf(server, keys[0] ?? ''), await statusOf(server, keys[1] ?? '')], [403, 200]);
  }
  await using server = await officialServer(folder, env);
  assert.deepEqual([await statusOf(server, derived), await statusOf(server, keys[1] ?? '')], [200, 403]);
});
