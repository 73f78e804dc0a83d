import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { AccountStore, type StoredDevice } from './account-store.ts';
import { AccountStoreProblem } from './accounts-file.ts';

const root = mkdtempSync(path.join(tmpdir(), 'anki-store-'));
after(() => rmSync(root, { recursive: true, force: true }));
const newBase = () => mkdtempSync(path.join(root, 'base-'));

const ann = { name: 'ann', passwordHash: '$hash$ann', isEnabled: true, createdMs: 1000 };
const bob = { name: 'bob', passwordHash: '$hash$bob', isEnabled: false, createdMs: 2000 };

function device(user: string, digest: string): Omit<StoredDevice, 'id'> {
  const used = { firstUsedMs: 5, lastUsedMs: 6 };
  return { user, keyDigest: digest, settingProof: null, client: 'c', address: '192.0.2.1', ...used };
}

test('a server without stored users makes no file', () => {
  const base = newBase();
  using store = AccountStore.open(base);
  assert.deepEqual([store.users(), store.devices(), store.moves()], [[], [], []]);
  assert.deepEqual(readdirSync(base), []);
});

test('what was stored is there at the next start, in one file for this account only', () => {
  const base = newBase();
  const first = AccountStore.open(base);
  first.addUser(bob);
  first.addUser(ann);
  const id = first.addDevice(device('ann', 'digest 1'), []);
  first.close();
  assert.throws(() => first.addUser({ ...ann, name: 'late' }), /is closed/);
  assert.deepEqual(readdirSync(base), ['accounts.db']);
  if (process.platform !== 'win32') assert.equal(statSync(first.file).mode & 0o777, 0o600);
  if (process.platform !== 'win32') chmodSync(first.file, 0o644);
  using second = AccountStore.open(base);
  assert.deepEqual(second.users(), [ann, bob]);
  assert.deepEqual(second.devices(), [{ id, ...device('ann', 'digest 1') }]);
  if (process.platform !== 'win32') assert.equal(statSync(first.file).mode & 0o777, 0o600, 'also of a copy put back');
});

test('another password ends all devices of that user only, a better hash ends none', () => {
  using store = AccountStore.open(newBase());
  store.addUser(ann);
  store.addUser(bob);
  store.addDevice(device('ann', 'a'), []);
  store.addDevice(device('bob', 'b'), []);
  store.improveHash('ann', '$better');
  assert.equal(store.devices().length, 2);
  store.changePassword('ann', '$new');
  assert.deepEqual(
    store.devices().map(({ user }) => user),
    ['bob'],
  );
  assert.equal(store.users()[0]?.passwordHash, '$new');
});

test('a device takes the place of others in one step, and no number is used twice', () => {
  using store = AccountStore.open(newBase());
  const first = store.addDevice(device('ann', 'a'), []);
  const second = store.addDevice(device('ann', 'b'), [first]);
  assert.deepEqual(
    store.devices().map(({ id }) => id),
    [second],
  );
  store.removeDevices([second]);
  assert.ok(store.addDevice(device('ann', 'c'), []) > second);
  assert.throws(() => store.addDevice(device('bob', 'c'), []), /UNIQUE/);
  assert.equal(store.devices().length, 1, 'a change that fails leaves nothing');
});

test('a finished move takes devices along, a removal takes everything', () => {
  using store = AccountStore.open(newBase());
  store.addUser(ann);
  store.addUser(bob);
  store.addDevice(device('ann', 'a'), []);
  store.beginMove({ user: 'ann', target: 'anna' });
  store.beginMove({ user: 'bob', target: null });
  assert.deepEqual(store.moves(), [
    { user: 'ann', target: 'anna' },
    { user: 'bob', target: null },
  ]);
  for (const move of store.moves()) store.finishMove(move);
  assert.deepEqual(store.users(), [{ ...ann, name: 'anna' }]);
  assert.deepEqual(
    store.devices().map(({ user }) => user),
    ['anna'],
  );
  assert.deepEqual(store.moves(), []);
});

test('neither old hashes nor old digests stay in the file', () => {
  const base = newBase();
  const store = AccountStore.open(base);
  store.addUser({ ...ann, passwordHash: '$old-hash-of-ann' });
  store.addDevice(device('ann', 'old-digest-of-ann'), []);
  store.changePassword('ann', '$new');
  const { file } = store;
  store.close();
  const text = readFileSync(file, 'latin1');
  assert.ok(text.includes('$new'));
  assert.ok(!text.includes('old-hash-of-ann') && !text.includes('old-digest-of-ann'));
});

test('a file that is damaged, or of a later version, is named with what to do', () => {
  const base = newBase();
  writeFileSync(path.join(base, 'accounts.db'), 'no database at all, but long enough for a header'.repeat(50));
  assert.throws(() => AccountStore.open(base), AccountStoreProblem);
  assert.throws(() => AccountStore.open(base), /accounts\.db cannot be used: .*Put a copy of it back/);
  const later = newBase();
  AccountStore.open(later).addUser(ann);
  const db = new DatabaseSync(path.join(later, 'accounts.db'));
  db.exec('PRAGMA user_version = 2');
  db.close();
  assert.throws(() => AccountStore.open(later), /later version/);
});

test('a file whose making was cut off is made again', () => {
  const base = newBase();
  writeFileSync(path.join(base, 'accounts.db'), '');
  using store = AccountStore.open(base);
  store.addUser(ann);
  assert.deepEqual(store.users(), [ann]);
  assert.ok(existsSync(store.file));
});
