import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetrics } from './metrics-settings.ts';
import type { Environment } from './setting.ts';

const token = 'a-token-of-24-characters';

function read(env: Environment) {
  const problems: string[] = [];
  const warnings: string[] = [];
  return { settings: readMetrics(env, problems, warnings), problems, warnings };
}

test('metrics are off unless a port or a token is set', () => {
  assert.deepEqual(read({}), { settings: { kind: 'off' }, problems: [], warnings: [] });
  assert.deepEqual(read({ SYNC_METRICS_TOKEN: token }).settings, { kind: 'token', token });
  const listener = { kind: 'listener', host: '127.0.0.1', port: 9464 };
  assert.deepEqual(read({ SYNC_METRICS_PORT: '9464' }).settings, { ...listener, token: undefined });
  const both = read({ SYNC_METRICS_PORT: '9464', SYNC_METRICS_HOST: '0.0.0.0', SYNC_METRICS_TOKEN: token });
  assert.deepEqual(both, { settings: { ...listener, host: '0.0.0.0', token }, problems: [], warnings: [] });
});

test('an address that strangers may reach, without a token, is worth a warning', () => {
  const { problems, warnings } = read({ SYNC_METRICS_PORT: '9464', SYNC_METRICS_HOST: '0.0.0.0' });
  assert.deepEqual(problems, []);
  assert.match(warnings.join(), /^SYNC_METRICS_HOST: whoever reaches 0\.0\.0\.0 .* Set SYNC_METRICS_TOKEN/);
  for (const host of ['127.0.0.1', '127.1.2.3', '::1']) {
    assert.deepEqual(read({ SYNC_METRICS_PORT: '1', SYNC_METRICS_HOST: host }).warnings, []);
  }
});

test('what cannot be right names the variable and the remedy, and never the token', () => {
  const wrong: readonly (readonly [Environment, RegExp])[] = [
    [{ SYNC_METRICS_PORT: '70000' }, /^SYNC_METRICS_PORT: "70000" is not a port. Use a number/],
    [{ SYNC_METRICS_PORT: '' }, /^SYNC_METRICS_PORT: "" is not a port/],
    [{ SYNC_METRICS_HOST: '127.0.0.1' }, /^SYNC_METRICS_HOST is set without SYNC_METRICS_PORT. Set both/],
    [{ SYNC_METRICS_PORT: '1', SYNC_METRICS_HOST: 'localhost' }, /^SYNC_METRICS_HOST: "localhost" is not an IP/],
    [{ SYNC_METRICS_TOKEN: 'short-secret' }, /^SYNC_METRICS_TOKEN must have at least 16 characters/],
    [{ SYNC_METRICS_TOKEN: 'with blanks in its middle' }, /^SYNC_METRICS_TOKEN must have .* Make one with/],
  ];
  for (const [env, expected] of wrong) {
    const { problems } = read(env);
    assert.equal(problems.length, 1);
    assert.match(problems.join(), expected);
    assert.doesNotMatch(problems.join(), /short-secret|with blanks in/);
  }
});
