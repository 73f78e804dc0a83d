import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashText } from '../../test/helpers/hash-text.ts';
import { PasswordChecker } from './password.ts';
import { parsePasswordHash } from './phc.ts';

const checker = new PasswordChecker();

/** Does the hash match `pass`? Undefined when the text is not one. */
async function verdict(text: string): Promise<boolean | undefined> {
  const hash = parsePasswordHash(text);
  return hash && checker.matches('pass', { kind: 'hashed', hash });
}

/** A vector of the official server: `pass`, 600,000 rounds. */
const known = '$pbkdf2-sha256$i=600000,l=32$tonuvYGpksNFQBlEmm3lxg$oQ1sqlkoU7Qn72xNoIq+NHyW3yOOER8EZ6mIJiv5GYc';
const digits = known.split('$').at(-1);

test('hashes that the official server takes match', async () => {
  const texts = {
    'its own vector': known,
    sha256: hashText({}),
    'sha512, 64 bytes': hashText({ digest: 'sha512', bytes: 64 }),
    'sha512, 32 bytes': hashText({ digest: 'sha512' }),
    'without l': hashText({ params: 'i=1000' }),
    'l before i': hashText({ params: 'l=32,i=1000' }),
    'without i': hashText({ rounds: 600_000, params: 'l=32' }),
    'without params': hashText({ rounds: 600_000, params: '' }),
    '20 bytes': hashText({ bytes: 20, params: 'i=1000,l=20' }),
    '10 bytes': hashText({ bytes: 10, params: 'i=1000,l=10' }),
    'one round': hashText({ rounds: 1 }),
    'salt of 3 bytes': hashText({ salt: 'abc' }),
    'salt of 48 bytes': hashText({ salt: 'x'.repeat(48) }),
  };
  for (const [what, text] of Object.entries(texts)) assert.equal(await verdict(text), true, what);
});

test('well-formed texts that the official server never matches do not match here either', async () => {
  const texts = {
    'without l, 64 bytes': hashText({ digest: 'sha512', bytes: 64, params: 'i=1000' }),
    'l not the length': hashText({ params: 'i=1000,l=20' }),
    'unknown parameter': hashText({ params: 'i=1000,l=32,x=1' }),
    'rounds that are none': hashText({ params: 'i=many,l=32' }),
    'no rounds': hashText({ params: 'i=0,l=32' }),
    'plain pbkdf2': hashText({}).replace('pbkdf2-sha256', 'pbkdf2'),
    'unknown algorithm': hashText({}).replace('pbkdf2-sha256', 'pbkdf2-sha384'),
    'a version': hashText({}).replace('$i=', '$v=1$i='),
    'no hash': '$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg',
    'name only': '$pbkdf2-sha256',
    'salt that is no base64': hashText({}).replace(/\$[^$]+\$([^$]+)$/, '$abcde$$$1'),
    'argon2id of something else': '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA',
    'argon2id without version': '$argon2id$m=64,t=2,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA',
    'argon2id without passes': '$argon2id$v=19$m=64,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA',
    'argon2id with too little memory': '$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA',
    'argon2id with a key': '$argon2id$v=19$m=64,t=2,p=1,keyid=abc$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA',
  };
  for (const [what, text] of Object.entries(texts)) assert.equal(await verdict(text), false, what);
});

test('argon2id, which the official server cannot check, matches', async () => {
  const text = hashText({ digest: 'argon2id' });
  assert.match(text, /^\$argon2id\$v=19\$m=64,t=2,p=1\$/);
  assert.equal(await verdict(text), true);
});

test('texts that are no hash are told from hashes that never match', async () => {
  const texts = [
    '',
    'pass',
    '$',
    '$$',
    `${known}=`,
    `${known}\n`,
    `$pbkdf2-sha256$i=1000$a b c d$${digits}`,
    `$pbkdf2-sha256$i=1000$YQ$${digits}`,
    '$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$YWJjZGVmZ2hp',
    known.replace('pbkdf2', 'PBKDF2'),
    known.replace('i=600000,l=32', 'i=1,i=2'),
    `${known}x`.repeat(3),
    known.replace('$i', () => '$$i'),
  ];
  for (const text of texts) assert.equal(await verdict(text), undefined, text);
});

test('no text makes the parser fail or take long', () => {
  const parts = fc.constantFrom(
    '$',
    'pbkdf2-sha256',
    'argon2id',
    'v=19',
    'i=1',
    'l=32',
    ',',
    '=',
    'abcd',
    digits ?? '',
    'é',
    ' ',
  );
  fc.assert(fc.property(fc.array(parts, { maxLength: 30 }), (texts) => void parsePasswordHash(texts.join(''))));
  const startedMs = performance.now();
  parsePasswordHash(`$a$${'a=,'.repeat(100_000)}!`);
  parsePasswordHash(`$a$${'a=a,'.repeat(100_000)}`);
  assert.ok(performance.now() - startedMs < 500);
});
