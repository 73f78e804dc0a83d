import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toldAddress } from './client-address.ts';

test('each source takes its address from its own header form', () => {
  assert.equal(toldAddress(['203.0.113.7'], 'XRealIp'), '203.0.113.7');
  assert.equal(toldAddress(['198.51.100.1, 203.0.113.8'], 'RightmostXForwardedFor'), '203.0.113.8');
  assert.equal(toldAddress(['198.51.100.1', '192.0.2.1, 203.0.113.8'], 'RightmostXForwardedFor'), '203.0.113.8');
  assert.equal(toldAddress(['2001:db8::1'], 'CfConnectingIp'), '2001:db8::1');
  assert.equal(toldAddress(['203.0.113.11:1234'], 'CloudFrontViewerAddress'), '203.0.113.11');
  assert.equal(toldAddress(['2001:db8::1:1234'], 'CloudFrontViewerAddress'), '2001:db8::1');
  assert.equal(toldAddress(['[2001:db8::1]:1234'], 'CloudFrontViewerAddress'), '2001:db8::1');
  assert.equal(toldAddress(['::ffff:203.0.113.9'], 'TrueClientIp'), '203.0.113.9');
});

test('what is no single address is not believed', () => {
  assert.equal(toldAddress(['somewhere'], 'XRealIp'), undefined);
  assert.equal(toldAddress([''], 'XRealIp'), undefined);
  assert.equal(toldAddress(['1.2.3.4', '1.2.3.5'], 'XRealIp'), undefined);
  assert.equal(toldAddress(['1.2.3.4'], 'CloudFrontViewerAddress'), undefined);
  assert.equal(toldAddress(['1.2.3.4, x'], 'RightmostXForwardedFor'), undefined);
});
