import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashText } from '../../test/helpers/hash-text.ts';
import { userSetting } from '../../test/helpers/http-harness.ts';
import { SyncError } from '../errors.ts';
import { Accounts, hostKeyOf, type UserSetting } from './accounts.ts';
import { PasswordChecker } from './password.ts';
import { parsePasswordHash } from './phc.ts';

function hashedUser(name: string, rounds: number): UserSetting {
  const text = hashText({ rounds });
  const hash = parsePasswordHash(text);
  assert.ok(hash);
  return { variable: 'SYNC_USER1', name, password: { kind: 'hashed', hash }, hostKey: hostKeyOf(`${name}:${text}`) };
}

const isRejected = (error: unknown) => error instanceof SyncError && error.code === 'hostKeyRejected';

test('the host key is that of the official server', () => {
  assert.equal(hostKeyOf('user:pass'), 'b2619aa1529dfdc4248e6edbf3c1b2a2b014cf6d');
});

test('a host key leads to its own user and folder, nothing else leads anywhere', () => {
  const accounts = new Accounts([userSetting('ann:a:b'), userSetting('ü:日本')], '/data');
  assert.equal(accounts.byHostKey(hostKeyOf('ann:a:b'))?.folder.collection, '/data/ann/collection.anki2');
  assert.equal(accounts.byHostKey(hostKeyOf('ü:日本'))?.name, 'ü');
  for (const key of [
    '',
    'x',
    hostKeyOf('ann:a'),
    hostKeyOf('ann:a:b').toUpperCase(),
    `${hostKeyOf('ann:a:b')} `,
    '__proto__',
  ]) {
    assert.equal(accounts.byHostKey(key), undefined, key);
  }
});

test('a right password gives the key; names and passwords are exact', async () => {
  const accounts = new Accounts([userSetting('ann:a:b'), userSetting('d :  x ')], '/data');
  assert.equal(await accounts.login('ann', 'a:b'), hostKeyOf('ann:a:b'));
  assert.equal(await accounts.login('d ', '  x '), hostKeyOf('d :  x '));
  for (const [name, password] of [
    ['ann', 'a'],
    ['ann', ''],
    ['Ann', 'a:b'],
    ['d', '  x '],
    ['d ', 'x'],
    ['eve', 'a:b'],
    ['', ''],
  ] as const) {
    await assert.rejects(accounts.login(name, password), isRejected, name);
  }
});

test('with hashed passwords the key comes from the whole text, and the hash itself is no password', async () => {
  const user = hashedUser('ann', 1000);
  const accounts = new Accounts([user], '/data');
  assert.equal(await accounts.login('ann', 'pass'), user.hostKey);
  await assert.rejects(accounts.login('ann', hashText({ rounds: 1000 })), isRejected);
  await assert.rejects(accounts.login('ann', 'Pass'), isRejected);
});

test('an unknown name takes as long as a known one', async () => {
  const accounts = new Accounts([hashedUser('ann', 150_000)], '/data');
  const cost = async (name: string) => {
    const startedMs = performance.now();
    await assert.rejects(accounts.login(name, 'wrong'), isRejected);
    return performance.now() - startedMs;
  };
  await cost('ann');
  const known = Math.min(await cost('ann'), await cost('ann'));
  const unknown = Math.min(await cost('eve'), await cost('eve'));
  assert.ok(unknown > known / 3, `${unknown} ms against ${known} ms`);
});

test('a refused login names no password', async () => {
  const accounts = new Accounts([userSetting('ann:secret')], '/data');
  await assert.rejects(accounts.login('ann', 'hunter2'), (error: Error) => !/hunter2|secret/.test(error.message));
});

test('many logins at once all get their answer, and too many are turned away', async () => {
  const checker = new PasswordChecker();
  const stored = hashedUser('ann', 2000).password;
  const all = await Promise.all(
    Array.from({ length: 60 }, (_, at) => checker.matches(at % 2 === 0 ? 'pass' : 'x', stored)),
  );
  assert.deepEqual(
    all,
    all.map((_, at) => at % 2 === 0),
  );
  const flood = await Promise.allSettled(Array.from({ length: 150 }, () => checker.matches('x', stored)));
  const refused = flood.filter((result) => result.status === 'rejected');
  assert.equal(refused.length, 150 - 102);
  assert.equal(await checker.matches('pass', stored), true);
});
