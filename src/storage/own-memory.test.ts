import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBack } from './own-memory.ts';

test('large bytes are freed, those that may share their memory with others are left alone', () => {
  const large = new Uint8Array(1_000_000);
  giveBack(large);
  assert.equal(large.byteLength, 0);
  const [one, other] = [Buffer.from('one'), Buffer.from('other')];
  giveBack(one);
  assert.equal(one.toString() + other.toString(), 'oneother');
});
