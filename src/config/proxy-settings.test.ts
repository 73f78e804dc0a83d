import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProxies } from './proxy-settings.ts';
import { readQuota } from './quota-settings.ts';

function read(env: Record<string, string>) {
  const problems: string[] = [];
  const warnings: string[] = [];
  return { ...readProxies(env, problems, warnings), problems, warnings };
}

test('a list of proxies is enough to read the header that most of them send', () => {
  const { ipHeader, trustedProxies } = read({ SYNC_TRUSTED_PROXIES: '192.0.2.7, 10.0.0.0/8\nloopback' });
  assert.deepEqual([ipHeader, trustedProxies], ['RightmostXForwardedFor', ['192.0.2.7', '10.0.0.0/8', 'loopback']]);
  assert.equal(read({ SYNC_TRUSTED_PROXIES: 'loopback', SYNC_IP_HEADER: 'XRealIp' }).ipHeader, 'XRealIp');
});

test('without a list proxies on this computer and in its network are believed, with an empty one nobody', () => {
  assert.deepEqual(read({ SYNC_IP_HEADER: 'XRealIp' }).trustedProxies, ['loopback', 'private']);
  const { ipHeader, trustedProxies } = read({ SYNC_TRUSTED_PROXIES: '' });
  assert.deepEqual([ipHeader, trustedProxies], ['ConnectInfo', []]);
});

test('entries that are none are refused, one by one', () => {
  const { problems } = read({ SYNC_TRUSTED_PROXIES: 'nginx, 10.0.0.0/8, 10.1, *' });
  assert.equal(problems.length, 3);
  for (const problem of problems) assert.match(problem, /^SYNC_TRUSTED_PROXIES: ".*" is not an address\. Use some/);
});

test('a list that can have no effect is warned of', () => {
  const { warnings } = read({ SYNC_TRUSTED_PROXIES: 'loopback', SYNC_IP_HEADER: 'ConnectInfo' });
  assert.match(warnings.join(), /^SYNC_TRUSTED_PROXIES has no effect/);
});

test('quotas are whole MiB, and 0 is none', () => {
  const problems: string[] = [];
  const env = { SYNC_QUOTA_COLLECTION_MEGS: '2', SYNC_QUOTA_MEDIA_MEGS: '0' };
  assert.deepEqual(readQuota(env, problems), { collectionBytesMax: 2 ** 21, mediaBytesMax: undefined });
  for (const text of ['', '-1', '1.5', 'much', '99999999']) readQuota({ SYNC_QUOTA_MEDIA_MEGS: text }, problems);
  assert.equal(problems.length, 5);
  assert.match(problems[0] ?? '', /^SYNC_QUOTA_MEDIA_MEGS: "" is not a number of MiB/);
});
