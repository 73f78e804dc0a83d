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
const urls = (host: string) => clientAddresses(host, 8080, interfaces).map(({ url }) => url);

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
  assert.deepEqual(clientAddresses('127.0.0.1', 1, interfaces), [{ url: 'http://127.0.0.1:1/', isLocal: true }]);
  assert.deepEqual(urls('10.0.0.1'), ['http://10.0.0.1:8080/']);
});
