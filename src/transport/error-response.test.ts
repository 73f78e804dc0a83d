import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causesOf, SyncError } from '../errors.ts';
import { errorResponse } from './error-response.ts';

test('each refusal has the status that clients know', () => {
  const statuses = {
    hostKeyRejected: 403,
    malformedRequest: 400,
    collectionInconsistent: 400,
    syncConflict: 409,
    clientTooOld: 501,
    payloadTooLarge: 413,
    clientTooSlow: 408,
    serverFault: 500,
  } as const;
  for (const [code, status] of Object.entries(statuses)) {
    const response = errorResponse(new SyncError(code as keyof typeof statuses, 'Cannot do it: no'));
    assert.deepEqual([response.status, response.body], [status, String(status)]);
  }
});

test('faults keep their details, refusals tell them in one line of ASCII', () => {
  assert.equal(errorResponse(new Error('/home/ann is full')).reason, 'Internal Server Error');
  assert.equal(errorResponse(new SyncError('serverFault', 'disk /x')).reason, 'Internal Server Error');
  assert.equal(errorResponse('nonsense').status, 500);
  const { reason } = errorResponse(new SyncError('malformedRequest', `a\r\nSet-Cookie: é ${'x'.repeat(500)}`));
  assert.match(reason, /^a\?Set-Cookie: \? x+\.\.\.$/);
  assert.ok(reason.length < 160);
});

test('causes are told once each, however they are wrapped', () => {
  const error = new Error('Cannot store', { cause: new Error('Cannot write: full', { cause: new Error('full') }) });
  assert.equal(causesOf(error), 'Cannot store, because: Cannot write: full');
  assert.equal(causesOf(new Error('x', { cause: 'text' })), 'x, because: text');
});

test('trouble while cleaning up does not hide what came first', () => {
  const error = new SuppressedError(new Error('Cannot remove'), new SyncError('payloadTooLarge', 'Too long'));
  assert.equal(errorResponse(error).status, 413);
  assert.equal(causesOf(error), 'Too long, and then: Cannot remove');
});
