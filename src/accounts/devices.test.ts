import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { hashText } from '../../test/helpers/hash-text.ts';
import { silentLog } from '../log.ts';
import { hostKeyOf } from './accounts.ts';
import { Devices, devicesPerUserMax } from './devices.ts';
import { newArgon2idHash } from './new-hash.ts';
import { AccountStore } from './store/account-store.ts';
import { passHash, root, World } from './testing/people-world.ts';

const isRejected = { code: 'hostKeyRejected' };

test('when a device was used is written once in ten minutes, whatever it sends', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  using world = new World();
  const devices = new Devices(world.store, silentLog);
  const key = devices.issue({ user: 'ann' }, { client: 'c' });
  const written = () => world.store.devices()[0]?.lastUsedMs;
  const device = devices.byHostKey(key) ?? assert.fail();
  for (let request = 0; request < 100; request++) {
    context.mock.timers.tick(1000);
    devices.saw(device, { address: '192.0.2.7' });
  }
  assert.equal(written(), 1_000_000);
  context.mock.timers.tick(10 * 60_000);
  assert.equal(written(), 1_100_000);
  devices.saw(device, {});
  devices.writeSightings();
  assert.equal(written(), 1_100_000 + 10 * 60_000, 'a stop does not wait');
});

test('a new user can log in at once and after a restart, each login with a key of its own', async () => {
  using first = await World.withAnn();
  const keys = [await first.accounts.login('ann', 'pass'), await first.accounts.login('ann', 'pass')];
  assert.notEqual(keys[0], keys[1]);
  using world = first.restarted();
  for (const key of keys) {
    assert.match(key, /^[0-9a-f]{64}$/);
    assert.equal(world.accounts.byHostKey(key)?.folder.root, path.join(world.base, 'ann'));
  }
  assert.notEqual(world.accounts.byHostKey(keys[0] ?? '')?.deviceId, world.accounts.byHostKey(keys[1] ?? '')?.deviceId);
  await assert.rejects(world.accounts.login('ann', 'Pass'), isRejected);
  assert.ok(existsSync(path.join(world.base, 'ann/media')));
});

test('neither password nor key is in the file', async () => {
  using world = new World();
  await world.people.addUser({ user: 'ann', passwordHash: await newArgon2idHash('hunter2') });
  const key = await world.accounts.login('ann', 'hunter2', { client: '26.09.3,x,linux', address: '192.0.2.1' });
  const bytes = readFileSync(world.store.file);
  assert.ok(bytes.includes('ann') && bytes.includes('192.0.2.1'));
  for (const secret of ['hunter2', key, Buffer.from(key, 'hex')]) assert.ok(!bytes.includes(secret));
});

test('a password that was changed while it was being checked lets nobody in', async () => {
  using world = await World.withAnn();
  const login = world.accounts.login('ann', 'pass');
  await world.people.changePassword({ user: 'ann', passwordHash: passHash });
  await assert.rejects(login, isRejected);
});

test('a hash of the official server is taken, and replaced by a stronger one with the first login', async () => {
  using first = new World();
  await first.people.addUser({ user: 'ann', passwordHash: hashText({ rounds: 1000 }) });
  const key = await first.accounts.login('ann', 'pass');
  assert.match(first.store.users()[0]?.passwordHash ?? '', /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  using world = first.restarted();
  assert.equal(world.accounts.byHostKey(key)?.name, 'ann', 'the device stays logged in');
  const before = world.store.users()[0]?.passwordHash;
  await world.accounts.login('ann', 'pass');
  assert.equal(world.store.users()[0]?.passwordHash, before);
});

test('the device that was not used for longest makes room for a new one', async () => {
  using world = await World.withAnn();
  const keys: string[] = [];
  for (let n = 0; n < devicesPerUserMax; n++) keys.push(await world.accounts.login('ann', 'pass'));
  await new Promise((go) => setTimeout(go, 5));
  assert.ok(world.accounts.byHostKey(keys[0] ?? ''), 'the first one is used again');
  keys.push(await world.accounts.login('ann', 'pass'));
  const known = keys.map((key) => world.accounts.isWelcome(key));
  assert.deepEqual(
    known,
    keys.map((_, n) => n !== 1),
  );
  assert.equal(world.store.devices().length, devicesPerUserMax);
});

test('what a client calls itself cannot disturb a terminal', async () => {
  using world = await World.withAnn();
  await world.accounts.login('ann', 'pass', { client: `\x1b[2J\n${'x'.repeat(500)}` });
  const client = world.accounts.devices?.of('ann')[0]?.client ?? '';
  assert.match(client, /^[\x20-\x7e]{1,100}$/);
});

test('with SYNC_DEVICE_KEYS environment users get keys that can be revoked, and the derived key opens nothing', async () => {
  using first = new World({ deviceKeys: true });
  const [one, two] = [await first.accounts.login('env', 'pass'), await first.accounts.login('env', 'pass')];
  using world = first.restarted({ deviceKeys: true });
  assert.equal(world.accounts.byHostKey(hostKeyOf('env:pass')), undefined);
  assert.equal(world.accounts.byHostKey(one)?.name, 'env');
  await world.people.revokeDevices({ user: 'env', device: world.accounts.byHostKey(one)?.deviceId ?? 0 });
  assert.equal(world.accounts.byHostKey(one), undefined);
  assert.equal(world.accounts.byHostKey(two)?.name, 'env');
});

test('without SYNC_DEVICE_KEYS again the derived key opens, and devices with their own stay logged in', async () => {
  using first = new World({ deviceKeys: true });
  const key = await first.accounts.login('env', 'pass');
  using world = first.restarted();
  assert.equal(world.accounts.byHostKey(key)?.name, 'env');
  assert.equal(await world.accounts.login('env', 'pass'), hostKeyOf('env:pass'));
  assert.equal(world.accounts.byHostKey(hostKeyOf('env:pass'))?.name, 'env');
});

test('a key of an environment user ends with the value of the variable', async () => {
  using first = new World({ deviceKeys: true });
  const key = await first.accounts.login('env', 'pass');
  const second = first.restarted({ deviceKeys: true, users: ['env:other'] });
  assert.equal(second.accounts.byHostKey(key), undefined);
  const third = second.restarted({ deviceKeys: true, users: ['new:pass'] });
  assert.equal(third.accounts.byHostKey(key), undefined);
  // Nor does it open the data of a stored user who has the name later.
  await third.people.addUser({ user: 'env', passwordHash: passHash });
  assert.equal(third.accounts.byHostKey(key), undefined);
  assert.equal(third.store.devices().length, 0);
  third[Symbol.dispose]();
});

test('an unknown name costs as much as a stored one and as a plain one', async () => {
  using world = new World();
  await world.people.addUser({ user: 'ann', passwordHash: await newArgon2idHash('pass') });
  const cost = async (name: string): Promise<number> => {
    const times: number[] = [];
    for (let n = 0; n < 3; n++) {
      const startedMs = performance.now();
      await assert.rejects(world.accounts.login(name, 'wrong'), isRejected);
      times.push(performance.now() - startedMs);
    }
    return Math.min(...times);
  };
  const [known, unknown, plain] = [await cost('ann'), await cost('eve'), await cost('env')];
  assert.ok(unknown > known / 3 && plain > known / 3, `${known}, ${unknown}, ${plain} ms`);
});

test('a thousand users with keys are there in a moment', async () => {
  const base = mkdtempSync(path.join(root, 'many-'));
  using store = AccountStore.open(base);
  store.addUser({ name: 'the first', passwordHash: passHash, isEnabled: true, createdMs: 1 });
  store.close();
  const db = new DatabaseSync(store.file); // One by one each would wait for the disk.
  const user = db.prepare('INSERT INTO users VALUES (?, ?, 1, 1)');
  const device = db.prepare("INSERT INTO devices VALUES (NULL, ?, ?, NULL, '', '', 1, 1)");
  db.exec('BEGIN');
  for (let n = 0; n < 1000; n++) user.run(`user ${n}`, passHash);
  for (let n = 0; n < 3000; n++) device.run(`user ${n % 1000}`, `digest ${n}`);
  db.exec('COMMIT');
  db.close();
  const startedMs = performance.now();
  using world = new World({ base });
  const startMs = performance.now() - startedMs;
  assert.equal(world.accounts.people().length, 1002);
  assert.equal(world.accounts.devices?.of('user 7').length, 3);
  assert.ok(startMs < 500, `${startMs} ms`);
});
