import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { SyncError } from '../errors.ts';
import { hostKeyOf } from './accounts.ts';
import type { People } from './people.ts';
import { passHash, root, World } from './testing/people-world.ts';

const isRejected = { code: 'hostKeyRejected' };

test('another password, a removal or a disabling ends the keys of that user and of no other', async () => {
  const changes: readonly ((people: People) => Promise<unknown>)[] = [
    (people) => people.changePassword({ user: 'ann', passwordHash: passHash }),
    (people) => people.setUserEnabled({ user: 'ann', isEnabled: false }),
    (people) => people.removeUser({ user: 'ann', deleteData: false }),
    (people) => people.removeUser({ user: 'ann', deleteData: true }),
    (people) => people.revokeDevices({ user: 'ann' }),
  ];
  for (const change of changes) {
    using first = await World.withAnn();
    await first.people.addUser({ user: 'bob', passwordHash: passHash });
    const [ann, bob] = [await first.accounts.login('ann', 'pass'), await first.accounts.login('bob', 'pass')];
    const folder = first.accounts.byHostKey(ann)?.folder ?? assert.fail();
    await change(first.people);
    const check = ({ accounts }: World): void => {
      assert.equal(accounts.byHostKey(ann), undefined, String(change));
      assert.throws(() => accounts.admit({ hostKey: ann, folder }), isRejected);
      assert.equal(accounts.byHostKey(bob)?.name, 'bob');
    };
    check(first);
    using second = first.restarted();
    check(second);
  }
});

test('syncs that are running are ended', async () => {
  using world = await World.withAnn();
  await world.people.changePassword({ user: 'ann', passwordHash: passHash });
  await world.people.setUserEnabled({ user: 'ann', isEnabled: false });
  await world.people.revokeDevices({ user: 'ann' });
  await world.people.removeUser({ user: 'ann', deleteData: false });
  assert.deepEqual(world.ended, ['ann', 'ann', 'ann', 'ann']);
});

test('transfers of a revoked device are cut, those of other devices go on', async () => {
  using world = await World.withAnn();
  const [lost, kept] = [await world.accounts.login('ann', 'pass'), await world.accounts.login('ann', 'pass')];
  const cuts: string[] = [];
  using _lost = world.accounts.running.begin({ user: 'ann', hostKey: lost, cut: () => cuts.push('lost') });
  using _kept = world.accounts.running.begin({ user: 'ann', hostKey: kept, cut: () => cuts.push('kept') });
  using waiting = world.accounts.running.begin({ user: 'ann', hostKey: lost, cut: () => cuts.push('waiting') });
  waiting.movesBytes = false;
  const device = world.accounts.byHostKey(lost)?.deviceId ?? 0;
  await world.people.revokeDevices({ user: 'ann', device });
  assert.deepEqual(cuts, ['lost'], 'what waits in a lane is refused there, in words');
  waiting.movesBytes = true;
  assert.deepEqual(cuts, ['lost', 'waiting']);
  assert.equal(world.accounts.byHostKey(kept)?.name, 'ann');
});

test('a disabled user gets the same answer as a wrong password, and goes on where they were when enabled', async () => {
  using world = await World.withAnn();
  const key = await world.accounts.login('ann', 'pass');
  await world.people.setUserEnabled({ user: 'ann', isEnabled: false });
  const refusals = await Promise.allSettled([
    world.accounts.login('ann', 'pass'),
    world.accounts.login('ann', 'wrong'),
  ]);
  const texts = refusals.map(
    (each) => each.status === 'rejected' && each.reason instanceof SyncError && each.reason.message,
  );
  assert.equal(texts[0], texts[1]);
  assert.ok(texts[0]);
  await assert.rejects(world.people.setUserEnabled({ user: 'ann', isEnabled: false }), /disabled already/);
  await world.people.setUserEnabled({ user: 'ann', isEnabled: true });
  assert.equal(world.accounts.byHostKey(key)?.name, 'ann');
});

test('a renamed user keeps data and devices, and is asked for under the new name only', async () => {
  using first = await World.withAnn();
  const key = await first.accounts.login('ann', 'pass');
  const old = first.accounts.byHostKey(key)?.folder ?? assert.fail();
  writeFileSync(old.collection, 'of ann');
  await first.people.renameUser({ user: 'ann', target: 'Anna' });
  const check = async (world: World): Promise<void> => {
    const folder = world.accounts.byHostKey(key)?.folder ?? assert.fail();
    assert.equal(readFileSync(folder.collection, 'utf8'), 'of ann');
    assert.equal(folder.root, path.join(world.base, 'Anna'));
    assert.throws(() => world.accounts.admit({ hostKey: key, folder: old }), { code: 'syncConflict' });
    await assert.rejects(world.accounts.login('ann', 'pass'), isRejected);
    assert.match(await world.accounts.login('Anna', 'pass'), /./);
  };
  await check(first);
  using second = first.restarted();
  await check(second);
});

test('while a folder moves, devices are told to come again, and not that their key is wrong', async () => {
  using world = await World.withAnn();
  const key = await world.accounts.login('ann', 'pass');
  {
    using _ = world.accounts.hold('ann');
    assert.throws(() => world.accounts.byHostKey(key), { code: 'syncConflict' });
    await assert.rejects(world.accounts.login('ann', 'pass'), { code: 'syncConflict' });
  }
  assert.equal(world.accounts.byHostKey(key)?.name, 'ann');
});

test('a removed user leaves the data, and whoever gets the name next gets them', async () => {
  using world = await World.withAnn();
  const collection = path.join(world.base, 'ann/collection.anki2');
  writeFileSync(collection, 'of ann');
  assert.deepEqual(await world.people.removeUser({ user: 'ann', deleteData: false }), {
    keptIn: path.join(world.base, 'ann'),
  });
  assert.deepEqual(await world.people.addUser({ user: 'ann', passwordHash: passHash }), { hasData: true });
  assert.equal(readFileSync(collection, 'utf8'), 'of ann');
  await world.people.removeUser({ user: 'ann', deleteData: true });
  assert.ok(!existsSync(path.dirname(collection)));
});

test('data behind a link are not deleted', { skip: process.platform === 'win32' }, async () => {
  using world = await World.withAnn();
  const elsewhere = mkdtempSync(path.join(root, 'elsewhere-'));
  rmSync(path.join(world.base, 'ann'), { recursive: true });
  symlinkSync(elsewhere, path.join(world.base, 'ann'));
  await assert.rejects(world.people.removeUser({ user: 'ann', deleteData: true }), /is a link/);
  assert.equal(world.accounts.person('ann')?.account.name, 'ann');
});

test('names that cannot be, or are taken, are refused, and nothing is changed', async () => {
  using world = await World.withAnn();
  mkdirSync(path.join(world.base, 'taken'));
  const add = (user: string) => world.people.addUser({ user, passwordHash: passHash });
  const rename = (target: string) => world.people.renameUser({ user: 'ann', target });
  for (const name of [
    '',
    '..',
    'a/b',
    ' ann',
    'ann ',
    'a:b',
    '.hidden',
    'accounts.db',
    'Accounts.db-journal',
    'a\x1b[m',
  ]) {
    await assert.rejects(add(name), { name: 'CareProblem' }, name);
    await assert.rejects(rename(name), { name: 'CareProblem' }, name);
  }
  for (const change of [add, rename]) {
    await assert.rejects(change('env'), /There is a user "env" already, in SYNC_USER1/);
    await assert.rejects(change('ann'), /already/);
  }
  await assert.rejects(rename('taken'), /There is a folder .*taken already/);
  assert.deepEqual(
    world.store.users().map(({ name }) => name),
    ['ann'],
  );
});

test('users of the environment are changed there', async () => {
  using world = new World();
  const { people } = world;
  for (const change of [
    people.changePassword({ user: 'env', passwordHash: passHash }),
    people.renameUser({ user: 'env', target: 'other' }),
    people.setUserEnabled({ user: 'env', isEnabled: false }),
    people.removeUser({ user: 'env', deleteData: true }),
  ]) {
    await assert.rejects(change, /"env" comes from SYNC_USER1/);
  }
  await assert.rejects(people.revokeDevices({ user: 'env' }), /share one key.*SYNC_USER1.*SYNC_DEVICE_KEYS/);
  await assert.rejects(people.removeUser({ user: 'nobody', deleteData: true }), /There is no user "nobody"/);
  assert.ok(world.accounts.byHostKey(hostKeyOf('env:pass')));
});

test('a text that is no hash, or that nothing can match, is refused', async () => {
  using world = new World();
  for (const passwordHash of [
    '',
    'pass',
    '$pbkdf2$i=1$abcd$aaaaaaaaaaaaaaaaaaaa',
    '$argon2id$v=19$m=1,t=1,p=1$abcd$x',
  ]) {
    await assert.rejects(world.people.addUser({ user: 'ann', passwordHash }), { name: 'CareProblem' }, passwordHash);
  }
});

test('lists tell who there is, and when and from where devices were used', async () => {
  using first = await World.withAnn();
  const key = await first.accounts.login('ann', 'pass', { client: 'old\x1b[31m', address: '192.0.2.1' });
  first.accounts.byHostKey(key, { client: '26.09.3,x,linux', address: '2001:db8::1' });
  first.accounts.byHostKey(key, {});
  writeFileSync(path.join(first.base, 'ann/collection.anki2'), 'x'.repeat(100));
  writeFileSync(path.join(first.base, 'ann/media/a'), 'x'.repeat(11));
  using world = first.restarted();
  const [ann, env] = await world.people.listUsers();
  assert.deepEqual(
    [ann?.name, ann?.variable, ann?.devices, ann?.bytes, ann?.isEnabled],
    ['ann', undefined, 1, 111, true],
  );
  assert.ok(Date.now() - (ann?.lastSeenMs ?? 0) < 10_000);
  assert.deepEqual(env, {
    name: 'env',
    isEnabled: true,
    variable: 'SYNC_USER1',
    devices: undefined,
    lastSeenMs: undefined,
    bytes: 0,
  });
  const [list] = await world.people.listDevices({ user: 'ann' });
  const { firstUsedMs = 0, lastUsedMs = 0, ...device } = list?.devices[0] ?? {};
  assert.deepEqual(device, { id: 1, client: '26.09.3,x,linux', address: '2001:db8::1' });
  assert.ok(firstUsedMs > 0 && lastUsedMs >= firstUsedMs);
  assert.equal((await world.people.listDevices({})).at(-1)?.sharedKeyOf, 'SYNC_USER1');
});
