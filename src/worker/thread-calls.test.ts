import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyncError } from '../errors.ts';
import { fromFailure, toFailure } from './thread-calls.ts';

test('a refusal crosses threads with its code, stack and cause', () => {
  const cause = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const error = new SyncError('serverFault', 'Cannot store it', { cause });
  const arrived = fromFailure(structuredClone(toFailure(error)));
  assert.ok(arrived instanceof SyncError);
  assert.equal(arrived.code, 'serverFault');
  assert.equal(arrived.stack, error.stack);
  assert.ok(arrived.cause instanceof Error);
  assert.equal('code' in arrived.cause && arrived.cause.code, 'ENOSPC');
});

test('whatever was thrown arrives as an error', () => {
  assert.equal(fromFailure(toFailure('a text')).message, 'a text');
});
