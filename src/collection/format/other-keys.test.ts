import assert from 'node:assert/strict';
import test from 'node:test';
import { parseJson } from './json.ts';
import { keySet, readOther, withoutKeys, writeOther } from './other-keys.ts';
import { comparable } from './testing/fixtures.ts';

const none = keySet('id');

test('unknown keys that cannot be read count as none', () => {
  const unreadable = ['no json', '[1]', 'null', '{"a":1}x', '{"a":1e999}', '{"a":"\\ud800"}', '\ufeff{"a":1}', '{"a":'];
  for (const text of unreadable) assert.deepEqual(readOther(Buffer.from(text), none), {}, text);
  assert.deepEqual(readOther(Uint8Array.of(0xff), none), {});
  assert.deepEqual(readOther(new Uint8Array(0), none), {});
});

test('unknown keys come back whatever they are called, without those that have a place of their own', () => {
  const text = '{"__proto__":{"b":1.0,"a":[9007199254740993]},"":null,"10":1,"id":5}';
  const read = readOther(Buffer.from(text), none);
  assert.equal(
    Buffer.from(writeOther(read)).toString(),
    '{"":null,"10":1,"__proto__":{"a":[9007199254740993],"b":1.0}}',
  );
  assert.deepEqual(comparable(withoutKeys(read, keySet('__proto__'))), comparable(parseJson('{"":null,"10":1}')));
});

test('no unknown keys are no bytes', () => {
  assert.equal(writeOther({}).length, 0);
});
