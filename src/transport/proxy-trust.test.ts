import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProxyEntry, ProxyTrust } from './proxy-trust.ts';

test('lists of proxies hold addresses, ranges and two names, and nothing that could be misread', () => {
  for (const entry of ['192.0.2.7', '10.0.0.0/8', '2001:db8::1', '2001:db8::/32', 'loopback', 'private']) {
    assert.ok(isProxyEntry(entry), entry);
    assert.doesNotThrow(() => new ProxyTrust([entry]));
  }
  for (const entry of ['', 'proxy', '10.0.0.0/33', '10.1', '0x7f.1', '127', '*', '10.0.0.0/', '::/129', 'Loopback']) {
    assert.ok(!isProxyEntry(entry), entry);
    assert.throws(() => new ProxyTrust([entry]), entry);
  }
});

test('a range ends where it ends, for either kind of address', () => {
  const trust = new ProxyTrust(['172.16.0.0/12', '2001:db8::/33']);
  assert.ok(trust.trusts('172.31.255.255') && trust.trusts('::ffff:172.16.0.1') && trust.trusts('2001:db8:7fff::1'));
  assert.ok(!trust.trusts('172.32.0.0') && !trust.trusts('2001:db8:8000::1') && !trust.trusts('127.0.0.1'));
});

test('everybody can be believed if the list says so', () => {
  const trust = new ProxyTrust(['0.0.0.0/0', '::/0']);
  assert.ok(trust.trusts('8.8.8.8') && trust.trusts('2001:db8::1'));
});
