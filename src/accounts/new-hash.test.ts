import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashText } from '../../test/helpers/hash-text.ts';
import { isOutdated, newArgon2idHash, newPbkdf2Hash, problemOfPassword } from './new-hash.ts';
import { PasswordChecker } from './password.ts';
import { type PasswordHash, parsePasswordHash } from './phc.ts';

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text);
  assert.ok(hash !== undefined && hash.kind !== 'unusable', text);
  return hash;
}

for (const [kind, make] of [
  ['argon2id', newArgon2idHash],
  ['PBKDF2', newPbkdf2Hash],
] as const) {
  test(`a new ${kind} hash matches its own password only, and no two are equal`, async () => {
    const [text, other] = await Promise.all([make('päss wörd'), make('päss wörd')]);
    assert.notEqual(text, other);
    const checker = new PasswordChecker();
    const stored = { kind: 'hashed', hash: parsed(text) } as const;
    assert.equal(await checker.matches('päss wörd', stored), true);
    assert.equal(await checker.matches('päss word', stored), false);
    assert.equal(await checker.matches(text, stored), false);
    assert.ok(!text.includes('päss'));
  });
}

test('a hash of today stays, weaker ones and those of the official server are outdated', async () => {
  assert.equal(isOutdated(parsed(await newArgon2idHash('x'))), false);
  assert.equal(isOutdated(parsed(hashText({ digest: 'argon2id' }))), true);
  assert.equal(isOutdated(parsed(await newPbkdf2Hash('x'))), true);
  const today = parsed(await newArgon2idHash('x'));
  assert.ok(today.kind === 'argon2id');
  assert.equal(isOutdated({ ...today, memoryKiB: today.memoryKiB * 2, passes: today.passes / 2 }), false);
  assert.equal(isOutdated({ ...today, passes: 1 }), true);
});

test('what no client can send is no password', () => {
  for (const bad of ['', 'a\nb', 'a\0b', '\ufffd', 'x'.repeat(1025)])
    assert.ok(problemOfPassword(bad), JSON.stringify(bad));
  for (const good of [' ', 'x', 'a:b', '日本', 'x'.repeat(1024)]) assert.equal(problemOfPassword(good), undefined);
});
