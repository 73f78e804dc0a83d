import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListenAddress } from '../transport/listen-address.ts';
import { readListeners } from './listen-settings.ts';

const own = { host: '0.0.0.0', port: 8080 };
const pid = 4711;

interface Reading {
  readonly listeners: readonly ListenAddress[];
  readonly problems: readonly string[];
}

function read(env: Record<string, string>, hasCertificate = false): Reading {
  const problems: string[] = [];
  return { listeners: readListeners(env, { own, hasCertificate, pid }, problems), problems };
}

/** In short, such as `https 127.0.0.1 8080`. */
function told(env: Record<string, string>, hasCertificate = false): string[] {
  const { listeners, problems } = read(env, hasCertificate);
  assert.deepEqual(problems, []);
  return listeners.map((each) => {
    const scheme = each.tls ? 'https' : 'http';
    if (each.kind === 'tcp') return `${scheme} ${each.host} ${each.port}${each.ipv6Only ? ' only' : ''}`;
    return each.kind === 'unix' ? `unix ${each.path} ${each.mode.toString(8)}` : `${scheme} passed ${each.fd}`;
  });
}

test('without any of these settings there is one listener, with TLS if there is a certificate', () => {
  assert.deepEqual(told({}), ['http 0.0.0.0 8080']);
  assert.deepEqual(told({}, true), ['https 0.0.0.0 8080']);
  assert.deepEqual(told({ SYNC_LISTEN: ' ' }), ['http 0.0.0.0 8080']);
});

test('a list may mix kinds of addresses, with and without TLS', () => {
  const SYNC_LISTEN = 'http://127.0.0.1:1, https://[2001:db8::1]:2/\n10.0.0.1:3,[::1]:4 unix:/run/a b.sock';
  assert.deepEqual(read({ SYNC_LISTEN }, true).problems.length, 1, 'a path with a blank is two entries');
  assert.deepEqual(told({ SYNC_LISTEN: SYNC_LISTEN.replace('a b', 'ab') }, true), [
    'http 127.0.0.1 1',
    'https 2001:db8::1 2',
    'https 10.0.0.1 3',
    'https ::1 4',
    'unix /run/ab.sock 660',
  ]);
});

test('a list stands alone unless host or port are set too', () => {
  const SYNC_LISTEN = 'unix:/run/a.sock';
  assert.deepEqual(told({ SYNC_LISTEN }), ['unix /run/a.sock 660']);
  assert.deepEqual(told({ SYNC_LISTEN, SYNC_PORT: '8080' }), ['http 0.0.0.0 8080', 'unix /run/a.sock 660']);
  assert.deepEqual(told({ SYNC_LISTEN, SYNC_SOCKET_MODE: '0600' }), ['unix /run/a.sock 600']);
});

test('IPv6 leaves a port to IPv4 where both are asked for, and takes both otherwise', () => {
  assert.deepEqual(told({ SYNC_LISTEN: '0.0.0.0:80,[::]:80,[::]:81,[::1]:80' }), [
    'http 0.0.0.0 80',
    'http :: 80 only',
    'http :: 81',
    'http ::1 80',
  ]);
});

test('passed sockets take the place of host and port, and only the process that they are meant for uses them', () => {
  const env = { LISTEN_FDS: '2', LISTEN_PID: String(pid), SYNC_PORT: '8080' };
  assert.deepEqual(told(env), ['http passed 3', 'http passed 4']);
  assert.deepEqual(told({ ...env, LISTEN_FDNAMES: 'http:sync.socket' }, true), ['http passed 3', 'https passed 4']);
  assert.deepEqual(told({ ...env, SYNC_LISTEN: '10.0.0.1:3' }), ['http passed 3', 'http passed 4', 'http 10.0.0.1 3']);
  for (const wrong of [{ LISTEN_PID: '1' }, { LISTEN_FDS: '0' }, { LISTEN_FDS: 'x' }, { LISTEN_FDS: '1e9' }]) {
    assert.deepEqual(told({ ...env, ...wrong }), ['http 0.0.0.0 8080'], JSON.stringify(wrong));
  }
});

test('what is no place to listen is refused with an example', () => {
  const wrong = ['localhost:80', '127.0.0.1', '::1:80', '[::1]', '[1.2.3.4]:80', '1.2.3.4:65536', 'ftp://1.2.3.4:80'];
  for (const text of [...wrong, '1.2.3.4:80/sync', '1.2.3:80', ':80', '*:80']) {
    const { problems } = read({ SYNC_LISTEN: text });
    assert.match(problems.join('\n'), /^SYNC_LISTEN: ".*" is not an address with a port\. Use one such as .*\.$/, text);
  }
  assert.match(read({ SYNC_LISTEN: 'unix:a.sock' }).problems.join(), /needs an absolute path/);
  assert.match(read({ SYNC_LISTEN: `unix:/${'x'.repeat(100)}` }).problems.join(), /at most 100 bytes/);
  assert.match(read({ SYNC_LISTEN: 'https://1.2.3.4:80' }).problems.join(), /needs a certificate/);
  for (const mode of ['', '66', '888', 'rw', '77777']) {
    assert.match(read({ SYNC_SOCKET_MODE: mode }).problems.join(), /^SYNC_SOCKET_MODE: /, mode);
  }
});
