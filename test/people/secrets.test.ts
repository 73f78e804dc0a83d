import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { childEnvironment } from '../support/environment.ts';
import { RawClient } from '../support/raw-client.ts';
import { addUser, DataFolder, ownerDoes, serverFor, statusOf, tryLogin } from './owner.ts';

/** Every file in a folder, but sockets. */
function filesIn(folder: string): string[] {
  const names = globSync('**/{*,.*}', { cwd: folder }).map((name) => path.join(folder, name));
  return names.filter((file) => statSync(file).isFile());
}

test('no password and no key is in the log, the output or any file', async () => {
  using folder = new DataFolder();
  const passwords = ['hunter2-first', 'hunter2-second', 'hunter2-wrong', 'hunter2-env'];
  let output = await addUser(folder, 'ann', 'hunter2-first');
  const env = { SYNC_LOG_LEVEL: 'trace', SYNC_USER1: 'eve:hunter2-env', SYNC_DEVICE_KEYS: 'on' };
  await using server = await serverFor(folder, { env });
  const keys: string[] = [];
  for (const [user, password] of [
    ['ann', 'hunter2-first'],
    ['eve', 'hunter2-env'],
  ] as const) {
    const { key } = await tryLogin(server, user, password);
    keys.push(key);
    const raw = new RawClient(server.url, key);
    await raw.start((await raw.meta()).usn);
    await fetch(`${server.url}msync/begin?k=${key}&v=anki`);
  }
  assert.equal((await tryLogin(server, 'ann', 'hunter2-wrong')).status, 403);
  output += await ownerDoes(folder, ['user', 'password', 'ann'], { input: 'hunter2-second' });
  output += await ownerDoes(folder, ['user', 'list']);
  output += await ownerDoes(folder, ['device', 'list']);
  for (const key of keys.slice(0, 1)) assert.equal(await statusOf(server, key), 403);
  await server.stop();
  const files = filesIn(folder.base);
  assert.ok(files.some((file) => file.endsWith('accounts.db')));
  const places = new Map(files.map((file) => [file, readFileSync(file)]));
  places.set('the log', Buffer.from(server.log)).set('the output', Buffer.from(output));
  for (const [place, bytes] of places) {
    for (const secret of [...passwords, ...keys, ...keys.map((key) => Buffer.from(key, 'hex'))]) {
      assert.ok(!bytes.includes(secret), `${secret} in ${place}`);
    }
  }
  assert.match(server.log, /uid="ann"/);
});

test('the file of users is for the account of the server only', { skip: process.platform === 'win32' }, async () => {
  using folder = new DataFolder();
  await addUser(folder, 'ann', 'pw');
  assert.equal(statSync(path.join(folder.base, 'accounts.db')).mode & 0o777, 0o600);
});

test('a password is never an argument: one that is given as such is refused', async () => {
  using folder = new DataFolder();
  const child = spawn(process.execPath, ['src/main.ts', 'user', 'add', 'ann', 'hunter2'], {
    cwd: path.join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'ignore', 'pipe'],
    env: childEnvironment({ SYNC_BASE: folder.base }),
  });
  const pieces = await child.stderr.toArray();
  assert.match(Buffer.concat(pieces).toString(), /Usage: anki-sync-server user add <user>/);
});

test('while it asks, a command shows no password to other programs', {
  skip: process.platform !== 'linux',
}, async () => {
  using folder = new DataFolder();
  const child = spawn(process.execPath, ['src/main.ts', 'user', 'add', 'ann'], {
    cwd: path.join(import.meta.dirname, '../..'),
    stdio: ['pipe', 'ignore', 'ignore'],
    env: childEnvironment({ SYNC_BASE: folder.base }),
  });
  child.stdin.write('hunter2');
  await sleep(300);
  for (const place of ['cmdline', 'environ']) {
    assert.ok(!readFileSync(`/proc/${child.pid}/${place}`).includes('hunter2'), place);
  }
  child.stdin.end();
  assert.deepEqual(await once(child, 'close'), [0, null]);
});
