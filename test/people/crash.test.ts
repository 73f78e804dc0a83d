import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { PasswordChecker } from '../../src/accounts/password.ts';
import { parsePasswordHash } from '../../src/accounts/phc.ts';
import { AccountStore } from '../../src/accounts/store/account-store.ts';
import { fastFolder } from '../safety/fast-folder.ts';
import { isLong } from '../safety/random.ts';
import { quietRecords } from '../safety/recording.ts';
import {
  bytesBeforeNames,
  DiskImage,
  everything,
  layDown,
  namesBeforeBytes,
  onlyDurable,
  torn,
} from '../support/faults/disk-image.ts';
import { CALLS_OF_ERROR, CHANGING_CALLS, Faults } from '../support/faults/faults.ts';
import { skipWithoutFaults } from '../support/faults/faults-library.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Server } from '../support/server.ts';
import { addUser, DataFolder, owner, ownerDoes, serverFor, statusOf, tryLogin } from './owner.ts';

const skip = skipWithoutFaults();

/** A data folder in which ann has logged in and has a collection, with her key. */
async function household(): Promise<{ folder: DataFolder; key: string; mod: number }> {
  const folder = new DataFolder(fastFolder('people-'));
  await addUser(folder, 'ann', 'pw');
  await using server = await serverFor(folder);
  const { key } = await tryLogin(server, 'ann', 'pw');
  const raw = new RawClient(server.url, key);
  await raw.download(); // Makes the collection, and raises its time.
  return { folder, key, mod: (await raw.meta()).mod };
}

test('a password that was changed is changed after kill -9', async () => {
  using folder = new DataFolder();
  await addUser(folder, 'ann', 'old');
  await using server = await serverFor(folder);
  const { key } = await tryLogin(server, 'ann', 'old');
  await ownerDoes(folder, ['user', 'password', 'ann'], { input: 'new' });
  await server.kill('SIGKILL');
  await server.start();
  assert.equal(await statusOf(server, key), 403);
  assert.equal((await tryLogin(server, 'ann', 'old')).status, 403);
  const again = await tryLogin(server, 'ann', 'new');
  await server.kill('SIGKILL');
  await server.start();
  assert.equal(await statusOf(server, again.key), 200, 'a key that was given stays good, too');
});

for (const { command, target } of [
  { command: ['user', 'rename', 'ann', 'anna'], target: 'anna' },
  { command: ['user', 'remove', 'ann', '--delete-data', 'ann'], target: '' },
]) {
  test(`a server killed at any file call of "${command.join(' ')}" has done it or not`, { skip }, async (t) => {
    const { folder: original, key, mod } = await household();
    using _ = original;
    const outcomes: string[] = [];
    for (let at = 1; ; at += isLong ? 1 : 11) {
      using folder = original.copy(fastFolder('people-'));
      using faults = new Faults(folder.base);
      await using server = await serverFor(folder, { env: faults.environment });
      faults.arm({ mode: at % 2 === 0 ? 'die in' : 'die before', calls: CHANGING_CALLS, at });
      const { code } = await owner(folder, command);
      const { hit } = faults;
      faults.disarm();
      if (hit === undefined) {
        assert.equal(code, 0);
        break;
      }
      await server.kill();
      const { users, data } = await afterwards(folder, key, mod);
      outcomes.push(`${hit.replace(folder.base, '')}: ${users}`);
      const told = `${hit}: ${users}`;
      assert.ok(users === 'ann' || users === target, told);
      assert.equal(data, users === '' ? 'none' : 'all', told);
    }
    t.diagnostic(outcomes.join('\n'));
    assert.ok(outcomes.length >= 3, 'the server died a few times');
  });
}

test('a full disk refuses logins and commands, nothing is changed, and later all is well', { skip }, async () => {
  const { folder, key } = await household();
  using _ = folder;
  using faults = new Faults(folder.base);
  await using server = await serverFor(folder, { env: faults.environment });
  faults.arm({ mode: 'fail from', calls: CALLS_OF_ERROR.ENOSPC, at: 1, error: 'ENOSPC' });
  assert.equal((await tryLogin(server, 'ann', 'pw')).status, 500);
  for (const args of [
    ['password', 'ann'],
    ['rename', 'ann', 'anna'],
    ['disable', 'ann'],
    ['add', 'bob'],
  ]) {
    const { code, stderr } = await owner(folder, ['user', ...args], { input: 'new' });
    assert.deepEqual(
      [code, /The change failed: .*Has the disk of .* room/.test(stderr)],
      [1, true],
      `${args}: ${stderr}`,
    );
  }
  faults.disarm();
  assert.equal(await statusOf(server, key), 200);
  assert.equal((await tryLogin(server, 'ann', 'pw')).status, 200);
  assert.match(await ownerDoes(folder, ['user', 'list']), /^ann +enabled +stored +2 /m);
  await ownerDoes(folder, ['user', 'rename', 'ann', 'anna']);
  assert.equal(await statusOf(server, key), 200);
});

test('whatever call of a command fails, the server goes on with what it would find at its next start', {
  skip,
}, async (t) => {
  const { folder: original, key, mod } = await household();
  using _ = original;
  const outcomes = new Set<string>();
  for (const args of [
    ['rename', 'ann', 'anna'],
    ['password', 'ann'],
    ['remove', 'ann', '--delete-data', 'ann'],
  ]) {
    for (let at = 1; ; at += isLong ? 1 : 11) {
      using folder = original.copy(fastFolder('people-'));
      using faults = new Faults(folder.base);
      await addUser(folder, 'other', 'pw');
      await using server = await serverFor(folder, { env: faults.environment });
      faults.arm({ mode: 'fail once', calls: CHANGING_CALLS, at, error: 'EIO' });
      const { code } = await owner(folder, ['user', ...args], { input: 'new' });
      const { hit } = faults;
      faults.disarm();
      if (hit === undefined) break;
      const before = await stateNow(server, folder, key);
      await server.restart();
      const after = await stateNow(server, folder, key);
      assert.equal(after, before, `${args} with a failing ${hit}`);
      if (after.startsWith('ann')) assert.equal((await withKey(server, folder, key)).mod, mod);
      outcomes.add(`${args[0]} ${code === 0 ? 'done' : 'failed'}: ${after}`);
    }
  }
  t.diagnostic([...outcomes].join('; '));
  assert.ok(outcomes.has('rename failed: ann 200 200') && outcomes.size >= 3, [...outcomes].join('; '));
});

/** Names, and whether the old password and the old key are good. */
async function stateNow(server: Server, folder: DataFolder, key: string): Promise<string> {
  const list = await ownerDoes(folder, ['user', 'list']);
  const users = ['ann', 'anna'].filter((name) => new RegExp(`^${name} `, 'm').test(list));
  const folders = ['ann', 'anna'].filter((name) => existsSync(path.join(folder.base, name)));
  assert.deepEqual(folders, users);
  const login = await tryLogin(server, users[0] ?? 'ann', 'pw');
  return `${users} ${login.status} ${await statusOf(server, key)}`;
}

/** What the collection says of itself, asked with the old key, or with a new one if that was ended. */
async function withKey(server: Server, folder: DataFolder, key: string): Promise<{ readonly mod: number }> {
  if ((await statusOf(server, key)) === 200) return new RawClient(server.url, key).meta();
  const user = existsSync(path.join(folder.base, 'anna')) ? 'anna' : 'ann';
  return new RawClient(server.url, (await tryLogin(server, user, 'new')).key).meta();
}

/** Who there is after the next start, and whether their device finds their data. */
async function afterwards(folder: DataFolder, key: string, mod: number): Promise<{ users: string; data: string }> {
  await addUser(folder, 'other', 'pw'); // So that there is somebody to start for.
  await using server = await serverFor(folder);
  const folders = ['ann', 'anna'].filter((name) => existsSync(path.join(folder.base, name)));
  const list = await ownerDoes(folder, ['user', 'list']);
  const users = ['ann', 'anna'].filter((name) => new RegExp(`^${name} `, 'm').test(list));
  assert.deepEqual(folders, users, 'no folder is left behind');
  const [user] = users;
  if (user === undefined) {
    assert.equal(await statusOf(server, key), 403);
    return { users: '', data: 'none' };
  }
  assert.equal((await tryLogin(server, user, 'pw')).status, 200);
  const isWhole = (await new RawClient(server.url, key).meta()).mod === mod;
  return { users: users.join(), data: isWhole ? 'all' : 'lost' };
}

test('what a command has acknowledged survives a power cut at any moment', { skip }, async (t) => {
  const base = fastFolder('people-');
  using folder = new DataFolder(base);
  using faults = new Faults(base);
  const image = DiskImage.of(base);
  faults.startTrace();
  const steps: { acknowledged: number; begins: number; users: readonly string[]; password: string }[] = [];
  let begins = 0;
  const step = async (users: readonly string[], password: string): Promise<void> => {
    const acknowledged = faults.records;
    steps.push({ begins, acknowledged, users, password });
    begins = await quietRecords(faults);
  };
  const env = faults.environment;
  await ownerDoes(folder, ['user', 'add', 'ann'], { input: 'first', env });
  await step(['ann'], 'first');
  await using server = await serverFor(folder, { env });
  await ownerDoes(folder, ['user', 'add', 'bob'], { input: 'x' });
  await step(['ann', 'bob'], 'first');
  await ownerDoes(folder, ['user', 'password', 'ann'], { input: 'second' });
  await step(['ann', 'bob'], 'second');
  await ownerDoes(folder, ['user', 'remove', 'bob']);
  await step(['ann'], 'second');
  await server.stop();
  const trace = faults.readTrace();

  const survivals = {
    everything,
    onlyDurable,
    namesBeforeBytes,
    bytesBeforeNames,
    torn: torn(1),
    'torn otherwise': torn(2),
  };
  let images = 0;
  for (let cut = steps[0]?.acknowledged ?? 0; cut <= trace.length; cut++) {
    const done = steps.findLast(({ acknowledged }) => acknowledged <= cut);
    const next = steps.find(({ acknowledged, begins: from }) => from <= cut && acknowledged > cut);
    for (const [name, survival] of Object.entries(survivals)) {
      const left = fastFolder('cut-');
      layDown(image.after(trace, cut, survival), left);
      const found = await stateOf(left);
      const possible = [done, next].flatMap((each) => (each === undefined ? [] : [`${each.users} ${each.password}`]));
      assert.ok(possible.includes(found), `${name} after ${cut}: ${found}, not ${possible.join(' or ')}`);
      rmSync(left, { recursive: true });
      images++;
    }
  }
  t.diagnostic(`${images} disks`);
  assert.ok(images > 100);
});

const checker = new PasswordChecker();

/** Names of the users, and the password of ann. */
async function stateOf(base: string): Promise<string> {
  mkdirSync(base, { recursive: true });
  using store = AccountStore.open(base);
  const users = store.users();
  const text = users.find(({ name }) => name === 'ann')?.passwordHash ?? '';
  const hash = parsePasswordHash(text);
  for (const password of ['first', 'second']) {
    const isRight =
      hash !== undefined &&
      (await remembered(text, password, () => checker.matches(password, { kind: 'hashed', hash })));
    if (isRight) return `${users.map(({ name }) => name)} ${password}`;
  }
  return 'nobody';
}

const known = new Map<string, boolean>();

/** Hashing takes time, and there are only two hashes. */
async function remembered(text: string, password: string, ask: () => Promise<boolean>): Promise<boolean> {
  const key = `${text} ${password}`;
  const answer = known.get(key) ?? (await ask());
  known.set(key, answer);
  return answer;
}
