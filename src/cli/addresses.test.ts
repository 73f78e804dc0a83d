import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { clientAddresses } from './addresses.ts';

const info = (address: string, family: 'IPv4' | 'IPv6', internal = false) =>
  ({ address, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 }) as NetworkInterfaceInfo;
const interfaces = {
  lo: [info('127.0.0.1', 'IPv4', true), info('::1', 'IPv6', true)],
  eth0: [info('192.168.1.5', 'IPv4'), info('fe80::1', 'IPv6'), info('2001:db8::5', 'IPv6')],
};
const at = (host: string, port = 8080, tls = false) => ({ host, port, tls });
const urls = (host: string) => clientAddresses(at(host), interfaces).map(({ url }) => url);

test('every address of every network is told, those for other devices first', () => {
  assert.deepEqual(urls('0.0.0.0'), ['http://192.168.1.5:8080/', 'http://127.0.0.1:8080/']);
  assert.deepEqual(urls('::'), [
    'http://192.168.1.5:8080/',
    'http://[2001:db8::5]:8080/',
    'http://127.0.0.1:8080/',
    'http://[::1]:8080/',
  ]);
});

test('a server on one address is told by that one', () => {
  assert.deepEqual(urls('192.168.1.5'), ['http://192.168.1.5:8080/']);
  assert.deepEqual(clientAddresses(at('127.0.0.1', 1), interfaces), [{ url: 'http://127.0.0.1:1/', isLocal: true }]);
  assert.deepEqual(urls('10.0.0.1'), ['http://10.0.0.1:8080/']);
});

test('with TLS the names of the certificate are told, because clients refuse all others', () => {
  const told = (port: number, names: string[]) =>
    clientAddresses(at('0.0.0.0', port, true), interfaces, names).map(({ url }) => url);
  assert.deepEqual(told(8443, ['sync.example.org', '*.example.org']), ['https://sync.example.org:8443/']);
  assert.deepEqual(told(443, ['sync.example.org', '192.168.1.5']), [
    'https://sync.example.org/',
    'https://192.168.1.5/',
  ]);
  const byIpv6 = clientAddresses(at('::', 8443, true), interfaces, ['2001:DB8:0:0:0:0:0:5']);
  assert.deepEqual(
    byIpv6.map(({ url }) => url),
    ['https://[2001:db8::5]:8443/'],
  );
});

test('a certificate without a usable name leaves the addresses as they are', () => {
  const [first] = clientAddresses(at('192.168.1.5', 8443, true), interfaces, ['*.example.org']);
  assert.equal(first?.url, 'https://192.168.1.5:8443/');
});
