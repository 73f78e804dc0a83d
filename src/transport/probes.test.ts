import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearsToken } from './probes.ts';

const token = 'a-token-of-24-characters';

test('only the whole token opens', () => {
  for (const header of [`Bearer ${token}`, `bearer ${token}`, `BEARER  ${token} `])
    assert.ok(bearsToken(header, token));
  const wrong = [undefined, '', 'Bearer', 'Bearer ', token, `Basic ${token}`, `Bearer ${token}x`, `Bearer x${token}`];
  for (const header of [...wrong, `Bearer ${token.slice(1)}`, `Bearer ${token.toUpperCase()}`, `Bearer ${token} x`]) {
    assert.ok(!bearsToken(header, token), String(header));
  }
});
