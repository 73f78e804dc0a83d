import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressSource, clientAddress, toldAddress } from './client-address.ts';
import { ProxyTrust } from './proxy-trust.ts';

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

interface Asking {
  readonly peer: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly source?: AddressSource;
  readonly trusted?: readonly string[];
}

function addressOf({ peer, headers = [], source = 'RightmostXForwardedFor', trusted }: Asking) {
  const values = headers.map(([, value]) => value);
  const request = {
    headers: values.length === 0 ? {} : { 'x-forwarded-for': values.join(', ') },
    headersDistinct: values.length === 0 ? {} : { 'x-forwarded-for': values },
  };
  return clientAddress(peer, request, { source, trust: new ProxyTrust(trusted) });
}

const forwarded = (...values: string[]) => values.map((value) => ['X-Forwarded-For', value] as const);

test('a stranger cannot give itself another address', () => {
  const headers = forwarded('203.0.113.9');
  assert.deepEqual(addressOf({ peer: '198.51.100.7', headers }), {
    ip: '198.51.100.7',
    isShared: false,
    isDisbelieved: true,
  });
  assert.equal(addressOf({ peer: '10.0.0.7', headers, trusted: ['10.0.0.1'] }).ip, '10.0.0.7');
  assert.equal(addressOf({ peer: '127.0.0.1', headers, trusted: [] }).ip, '127.0.0.1');
  assert.equal(addressOf({ peer: '127.0.0.1', headers, source: 'ConnectInfo' }).ip, '127.0.0.1');
});

test('a proxy on this computer or in its network is believed unless a list says otherwise', () => {
  for (const peer of [
    '127.0.0.1',
    '::1',
    '::ffff:10.1.2.3',
    '172.17.0.1',
    '192.168.1.2',
    'fd00::1',
    'fe80::1',
    'unix',
  ]) {
    assert.equal(addressOf({ peer, headers: forwarded('203.0.113.9') }).ip, '203.0.113.9', peer);
  }
  for (const peer of ['172.32.0.1', '11.0.0.1', '2001:db8::1']) {
    assert.equal(addressOf({ peer, headers: forwarded('203.0.113.9') }).ip, peer);
  }
  assert.equal(
    addressOf({ peer: '2001:db8::1', headers: forwarded('203.0.113.9'), trusted: ['2001:db8::/32'] }).ip,
    '203.0.113.9',
  );
});

test('who is gone before anybody could see an address is believed nothing', () => {
  const { ip, isShared } = addressOf({ peer: 'unknown', headers: forwarded('203.0.113.9') });
  assert.deepEqual([ip, isShared], ['unknown', false]);
});

test('what a client puts into the list itself does not count, whatever it looks like', () => {
  const through = (trusted: readonly string[] | undefined, ...values: string[]) =>
    addressOf({ peer: '127.0.0.1', headers: forwarded(...values), ...(trusted && { trusted }) }).ip;
  assert.equal(through(undefined, '198.51.100.1, 203.0.113.9'), '203.0.113.9');
  assert.equal(through(undefined, '198.51.100.1', '203.0.113.9'), '203.0.113.9');
  // Somebody in the local network, who is not taken for a proxy.
  assert.equal(through(undefined, '198.51.100.1, 192.168.1.77'), '192.168.1.77');
});

test('proxies that are listed by number are passed over in the list of addresses', () => {
  const headers = forwarded('198.51.100.1, 203.0.113.9, 10.0.0.5');
  assert.equal(addressOf({ peer: '127.0.0.1', headers, trusted: ['loopback', '10.0.0.0/8'] }).ip, '203.0.113.9');
  assert.equal(addressOf({ peer: '127.0.0.1', headers, trusted: ['loopback', 'private'] }).ip, '10.0.0.5');
});

test('addresses with a port, as some proxies write them, are understood', () => {
  assert.equal(toldAddress(['203.0.113.7:4711'], 'RightmostXForwardedFor'), '203.0.113.7');
  assert.equal(toldAddress(['[2001:db8::7]:4711'], 'RightmostXForwardedFor'), '2001:db8::7');
});

test('behind a proxy that is not asked for addresses, the address is known to be shared', () => {
  const headers = forwarded('203.0.113.9');
  assert.equal(addressOf({ peer: '127.0.0.1', headers, source: 'ConnectInfo' }).isShared, true);
  assert.equal(addressOf({ peer: '127.0.0.1', source: 'ConnectInfo' }).isShared, false);
  assert.equal(addressOf({ peer: '198.51.100.7', headers, source: 'ConnectInfo' }).isShared, false);
  assert.deepEqual(addressOf({ peer: 'unix' }), { ip: 'unix', isShared: true, isDisbelieved: false });
});
