import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hostKeyOf } from '../../src/accounts/accounts.ts';
import { startServer } from '../support/server.ts';
import { addUser, DataFolder, owner, ownerDoes, serverFor, statusOf, tryLogin } from './owner.ts';

/** What a server says that cannot start, in one line. */
async function refusal(folder: DataFolder, env: Readonly<Record<string, string>>): Promise<string> {
  const { code, stdout, stderr } = await owner(folder, [], { env: { SYNC_HOST: '127.0.0.1', SYNC_PORT: '0', ...env } });
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
  assert.doesNotMatch(stderr, /hunter2/);
  return stderr;
}

test('a server without any user says how to make one, and touches nothing', async () => {
  using folder = new DataFolder();
  assert.match(
    await refusal(folder, {}),
    /SYNC_USER1 is not set, and there are no users in .*anki-sync-server user add ann/,
  );
  assert.deepEqual(readdirSync(folder.base), []);
});

test('users can be made before the first start, in a folder that is not there yet', async () => {
  using outer = new DataFolder();
  using folder = new DataFolder(path.join(outer.base, 'deep/data'));
  const missing = await owner(folder, ['user', 'list']);
  assert.match(missing.stderr, /there is no folder/);
  await addUser(folder, 'ann', 'pw');
  assert.match(await ownerDoes(folder, ['user', 'list']), /^ann +enabled +stored +0 +unknown/m);
  await using server = await serverFor(folder);
  assert.match(server.log, /listening .* users=1 /);
  const { key } = await tryLogin(server, 'ann', 'pw');
  assert.equal(await statusOf(server, key), 200);
  await server.restart();
  assert.equal(await statusOf(server, key), 200, 'devices stay logged in over a restart');
  await server.stop();
  await ownerDoes(folder, ['user', 'remove', 'ann']);
  assert.match(await refusal(folder, {}), /there are no users in/);
});

test('commands without a server do the same as with one', async () => {
  using folder = new DataFolder();
  await addUser(folder, 'ann', 'old');
  let key = '';
  {
    await using server = await serverFor(folder);
    ({ key } = await tryLogin(server, 'ann', 'old'));
  }
  await ownerDoes(folder, ['user', 'rename', 'ann', 'Anna']);
  assert.ok(existsSync(path.join(folder.base, 'Anna')) && !existsSync(path.join(folder.base, 'ann')));
  assert.match(await ownerDoes(folder, ['device', 'list']), /^Anna:\n.*\n +1 {2}26\.09\.3,test,linux/);
  {
    await using server = await serverFor(folder);
    assert.equal(await statusOf(server, key), 200);
  }
  await ownerDoes(folder, ['user', 'password', 'Anna'], { input: 'new' });
  await using server = await serverFor(folder);
  assert.equal(await statusOf(server, key), 403);
  assert.equal((await tryLogin(server, 'Anna', 'old')).status, 403);
  assert.equal((await tryLogin(server, 'Anna', 'new')).status, 200);
});

test('users of the environment and stored ones are served side by side', async () => {
  using folder = new DataFolder();
  await addUser(folder, 'ann', 'pw');
  await using server = await startServer({
    kind: 'ours',
    base: folder.base,
    users: ['eve'],
    passwords: 'plain',
  });
  assert.match(server.log, /listening .* users=2 /);
  assert.equal((await tryLogin(server, 'eve', server.password('eve'))).key, server.hostKey('eve'));
  assert.equal((await tryLogin(server, 'ann', 'pw')).status, 200);
  const list = await ownerDoes(folder, ['user', 'list']);
  assert.match(list, /^ann +enabled +stored +1 .*\neve +enabled +SYNC_USER1 +one key/m);
  assert.match(await ownerDoes(folder, ['device', 'list', 'eve']), /one key, which is made from SYNC_USER1/);
  const clash = await owner(folder, ['user', 'add', 'eve'], { input: 'x' });
  assert.match(clash.stderr, /There is a user "eve" already, in SYNC_USER1/);
  const fixed = await owner(folder, ['user', 'password', 'eve'], { input: 'x' });
  assert.match(fixed.stderr, /"eve" comes from SYNC_USER1/);
});

test('a name in both places stops the start, and both are named', async () => {
  using folder = new DataFolder();
  await addUser(folder, 'ann', 'pw');
  const told = await refusal(folder, { SYNC_USER7: 'ann:hunter2' });
  assert.match(told, /SYNC_USER7 has the name "ann", and so has a user in .*accounts\.db\. .*user remove ann/);
  const known = await owner(folder, ['user', 'add', 'bob'], { input: 'x', env: { SYNC_USER1: 'bob:hunter2' } });
  assert.match(known.stderr, /There is a user "bob" already, in SYNC_USER1/);
});

test('users come from files, and a file that cannot be read stops the start', async () => {
  using folder = new DataFolder();
  const secret = path.join(folder.base, 'secret');
  writeFileSync(secret, 'ann:hunter2\n');
  const credentials = path.join(folder.base, 'credentials');
  mkdirSync(credentials);
  writeFileSync(path.join(credentials, 'SYNC_USER2'), 'bob:hunter2\r\n');
  using data = new DataFolder();
  const env = { SYNC_USER1_FILE: secret, CREDENTIALS_DIRECTORY: credentials };
  {
    await using server = await serverFor(data, { env });
    for (const name of ['ann', 'bob']) {
      assert.equal((await tryLogin(server, name, 'hunter2')).key, hostKeyOf(`${name}:hunter2`));
    }
    assert.doesNotMatch(server.log, /is not read|hunter2/);
  }
  assert.match(
    await refusal(data, { SYNC_USER1_FILE: `${secret}.not` }),
    /SYNC_USER1_FILE: cannot use ".*\.not": ENOENT/,
  );
  assert.match(await refusal(data, { ...env, SYNC_USER1: 'ann:hunter2' }), /SYNC_USER1 and SYNC_USER1_FILE both set/);
});

test('a damaged file of users stops the start, and says what to do', async () => {
  using folder = new DataFolder();
  writeFileSync(path.join(folder.base, 'accounts.db'), 'not a database, and long enough to look like one '.repeat(50));
  assert.match(await refusal(folder, { SYNC_USER1: 'ann:x' }), /accounts\.db cannot be used: .*Put a copy of it back/);
});
