import assert from 'node:assert/strict';
import { test } from 'node:test';
import { abortEnds, claimSession, isForgotten, type SyncSession } from './sync-session.ts';

const active: SyncSession = {
  sessionKey: 'phone',
  client: '',
  beganMs: 0,
  clientVersion: '26.09,android',
  serverUsn: 3,
  clientUsn: 2,
  clientIsNewer: true,
  lastSeenMs: 10_000,
  pendingChunks: undefined,
};

test('only the session that began a sync goes on with it', () => {
  assert.deepEqual(claimSession(active, 'phone'), { kind: 'resume', session: active });
  assert.deepEqual(claimSession(active, 'laptop'), { kind: 'refuse', reason: 'another sync is active' });
  assert.deepEqual(claimSession(undefined, 'phone'), { kind: 'refuse', reason: 'no sync is active' });
});

test('an abort ends the sync of its own device at once, that of another only when it is silent', () => {
  const linux = { sessionKey: 'fresh', clientVersion: '26.09,linux' };
  assert.equal(abortEnds(active, { ...linux, sessionKey: 'phone' }, 10_001, 5_000), true);
  assert.equal(abortEnds(active, { ...linux, clientVersion: '26.09,android' }, 10_001, 5_000), true);
  assert.equal(abortEnds(active, linux, 10_001, 5_000), false);
  assert.equal(abortEnds(active, linux, 15_000, 5_000), true);
});

test('a sync is forgotten after the idle time, not at its last moment', () => {
  assert.equal(isForgotten(active, 20_000, 10_000), false);
  assert.equal(isForgotten(active, 20_001, 10_000), true);
});
