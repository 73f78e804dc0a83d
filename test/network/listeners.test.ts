import assert from 'node:assert/strict';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { lstat, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { newestClient } from '../support/clients.ts';
import { Device } from '../support/device.ts';
import { freePort } from '../support/free-port.ts';
import { uploadAll } from '../support/steps.ts';
import { Authority } from './authority.ts';
import { canRun } from './client.ts';
import { prepareDebianTool } from './debian-tool.ts';
import { Program } from './program.ts';
import { ask } from './requests.ts';

const folder = await mkdtemp(path.join(os.tmpdir(), 'anki-listen-'));
after(() => rm(folder, { recursive: true, force: true }));
let sockets = 0;
const newSocket = () => path.join(folder, `${++sockets}.sock`);

/** A request that changes something: `begin` makes the folder of media. */
function beginOver(where: Parameters<typeof ask>[0], server: Program) {
  const header = JSON.stringify({ v: 11, k: server.hostKey(), c: 'test', s: 'abc' });
  const headers = { 'anki-sync': header, 'content-type': 'application/octet-stream' };
  return ask({ ...where, path: '/msync/begin', method: 'POST', headers }, zstdCompressSync('{"v":"test"}'));
}

test('IPv4, IPv6, plain, TLS and a Unix socket at the same time are one server', async () => {
  await using authority = await Authority.create();
  const file = newSocket();
  const list = `http://127.0.0.1:0, http://[::1]:0, https://127.0.0.1:0, [::1]:0, unix:${file}`;
  await using server = await Program.start({ env: { ...authority.settings, SYNC_LISTEN: list } });
  const [, text = ''] = await server.printed(/listening addr="(.*?)"/);
  const bound = text.split(', ').flatMap((each) => {
    const [, host = '', port = '', tls] = /^(.*):(\d+)( \(TLS\))?$/.exec(each) ?? [];
    return port === '' ? [] : [{ host: host.replace(/^\[(.*)\]$/, '$1'), port, tls: tls !== undefined }];
  });
  assert.deepEqual(
    bound.map(({ host, tls }) => [host, tls]),
    [
      ['127.0.0.1', false],
      ['::1', false],
      ['127.0.0.1', true],
      ['::1', true],
    ],
  );
  const places = bound.map((each) => ({ ...each, ca: authority.root.pem, servername: 'localhost' }));
  for (const place of [...places, { socketPath: file }]) assert.equal((await beginOver(place, server)).status, 200);
  await server.printed(/uri="\/msync\/begin" ip="::1"/);
  await server.printed(/uri="\/msync\/begin" ip="unix"/);
  assert.match(server.output, new RegExp(`Listening on unix:${file}, too`));
});

test('SYNC_LISTEN alone takes the place of SYNC_HOST and SYNC_PORT, beside one of them it adds to them', async () => {
  await using alone = await Program.start({ env: { SYNC_LISTEN: 'http://127.0.0.1:0' } });
  assert.equal((await alone.urls()).length, 1);
  await using both = await Program.start({
    env: { SYNC_LISTEN: '127.0.0.1:0', SYNC_PORT: '0', SYNC_HOST: '127.0.0.1' },
  });
  assert.equal((await both.urls()).length, 2);
  await using hidden = await Program.start({ env: { SYNC_LISTEN: `unix:${newSocket()}` } });
  assert.deepEqual(await hidden.urls(), []);
});

test('one listener takes IPv4 and IPv6, and two of the same port share them out', async () => {
  await using dual = await Program.start({ env: { SYNC_HOST: '::', SYNC_PORT: '0' } });
  const port = await dual.port();
  for (const host of ['127.0.0.1', '::1']) assert.equal((await ask({ host, port })).status, 200, host);
  assert.equal((await beginOver({ port }, dual)).status, 200);
  await dual.printed(/uri="\/msync\/begin" ip="127\.0\.0\.1"/); // Without the prefix of mapped addresses.
  const free = await freePort('::');
  const list = `0.0.0.0:${free},[::]:${free}`;
  await using two = await Program.start({ env: { SYNC_LISTEN: list } });
  await two.urls();
  for (const host of ['127.0.0.1', '::1']) assert.equal((await ask({ host, port: free })).status, 200, host);
});

test('a real client syncs over IPv6', async (context) => {
  if (!(await canRun(newestClient, context))) return;
  await using server = await Program.start({ env: { SYNC_HOST: '::1', SYNC_PORT: '0' } });
  const [url = ''] = await server.urls();
  assert.match(url, /^http:\/\/\[::1\]:/);
  await using device = await Device.create({ version: newestClient, url, hostKey: server.hostKey() });
  await device.addNote({ fields: ['front', 'back'] });
  await uploadAll(device);
  assert.equal(await device.outcome(), 'no changes');
});

test('a Unix socket has the rights that were asked for, and is gone after a stop', async () => {
  for (const [mode, expected] of [
    [undefined, 0o660],
    ['600', 0o600],
    ['0666', 0o666],
  ] as const) {
    const file = newSocket();
    const env = { SYNC_LISTEN: `unix:${file}`, ...(mode && { SYNC_SOCKET_MODE: mode }) };
    await using server = await Program.start({ env });
    await server.urls();
    assert.equal((await lstat(file)).mode & 0o777, expected);
    assert.equal(await server.stop(), 0);
    await assert.rejects(lstat(file), { code: 'ENOENT' });
  }
});

test('the socket of a server that was killed is no obstacle; one in use and other files are', async () => {
  const file = newSocket();
  const env = { SYNC_LISTEN: `unix:${file}` };
  await using killed = await Program.start({ env });
  await killed.urls();
  await killed.stop('SIGKILL');
  assert.ok((await lstat(file)).isSocket());
  await using server = await Program.start({ env });
  await server.urls();
  assert.equal((await ask({ socketPath: file })).status, 200);
  await using second = await Program.start({ env });
  assert.equal(await second.ended, 1);
  assert.match(second.output, /SYNC_LISTEN: cannot listen on .*another program listens there/);
  assert.equal((await ask({ socketPath: file })).status, 200, 'the first one goes on');
  const other = newSocket();
  await writeFile(other, 'precious');
  await using third = await Program.start({ env: { SYNC_LISTEN: `unix:${other}` } });
  assert.equal(await third.ended, 1);
  assert.match(third.output, /something else of this name/);
  assert.ok((await lstat(other)).isFile());
});

test('when one of several places cannot be had the server does not start, and leaves nothing behind', async () => {
  await using busy = createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  const { port } = busy.address() as AddressInfo;
  const file = newSocket();
  await using server = await Program.start({ env: { SYNC_LISTEN: `unix:${file}, 127.0.0.1:${port}` } });
  assert.equal(await server.ended, 1);
  assert.match(server.output, new RegExp(`SYNC_LISTEN: port ${port} is in use`));
  await assert.rejects(lstat(file), { code: 'ENOENT' });
});

test('the health check asks in every place', async () => {
  const file = newSocket();
  const port = await freePort('::');
  const env = { SYNC_LISTEN: `unix:${file}, [::1]:${port}` };
  await using server = await Program.start({ env });
  await server.urls();
  await using check = await Program.start({ env, args: ['--healthcheck'] });
  assert.deepEqual([await check.ended, check.output], [0, '']);
  await using more = await Program.start({
    env: { SYNC_LISTEN: `${env.SYNC_LISTEN}, 127.0.0.1:1` },
    args: ['--healthcheck'],
  });
  assert.equal(await more.ended, 1);
  assert.match(more.output, /^The server does not answer at http:\/\/127\.0\.0\.1:1\/: .*\n$/);
});

test('a stop lets running requests finish in every place, and ends idle connections at once', async () => {
  const file = newSocket();
  await using server = await Program.start({ env: { SYNC_LISTEN: `unix:${file}, 127.0.0.1:0` } });
  const port = await server.port();
  const idle = new Agent({ keepAlive: true });
  for (const place of [{ socketPath: file }, { port }]) await ask({ ...place, agent: idle });
  const body = zstdCompressSync('{"v":"test"}');
  const header = JSON.stringify({ v: 11, k: server.hostKey(), c: 'test', s: 'abc' });
  const head = `POST /msync/begin HTTP/1.1\r\nhost: x\r\nanki-sync: ${header}\r\ncontent-length: ${body.length}\r\n\r\n`;
  const running = [connect(file), connect(port, '127.0.0.1')].map((socket) => {
    let answer = '';
    socket.on('data', (piece) => {
      answer += piece.toString('latin1');
    });
    socket.write(head);
    return { socket, ended: once(socket, 'close'), answer: () => answer };
  });
  await server.printed(/listening/);
  await new Promise((go) => setTimeout(go, 200));
  server.child.kill('SIGTERM');
  await server.printed(/stopping/);
  await new Promise((go) => setTimeout(go, 200));
  await assert.rejects(ask({ port }), 'no new connections');
  for (const { socket } of running) socket.write(body);
  for (const { ended, answer } of running) {
    await ended;
    assert.match(answer(), /^HTTP\/1\.1 200 /);
  }
  assert.equal(await server.ended, 0);
  idle.destroy();
});

/** Binds sockets and starts the server on them, as systemd does: from descriptor 3 on, named by LISTEN_FDS. */
const activator = `
import os, socket, sys
tcp = socket.socket(); tcp.bind(('127.0.0.1', 0)); tcp.listen()
tls = socket.socket(); tls.bind(('127.0.0.1', 0)); tls.listen()
unix = socket.socket(socket.AF_UNIX); unix.bind(sys.argv[1]); unix.listen()
print(tcp.getsockname()[1], tls.getsockname()[1], flush=True)
for target, source in enumerate([os.dup2(each.fileno(), 50 + n) for n, each in enumerate([tcp, tls, unix])], 3):
    os.dup2(source, target, inheritable=True)
    os.close(source)
os.environ.update(LISTEN_FDS='3', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='http:sync.socket:http')
os.execv(sys.argv[2], sys.argv[2:])
`;

test('sockets that were passed on are used in place of SYNC_HOST and SYNC_PORT, and stay with their owner', async () => {
  await using authority = await Authority.create();
  const file = newSocket();
  const under = ['python3', '-c', activator, file];
  await using server = await Program.start({ under, env: { ...authority.settings, SYNC_PORT: '1' } });
  const [, plain, tls] = await server.printed(/^(\d+) (\d+)$/m);
  await server.urls();
  assert.equal((await beginOver({ port: plain }, server)).status, 200);
  const secure = { port: tls, tls: true, ca: authority.root.pem, servername: 'localhost' };
  assert.equal((await beginOver(secure, server)).status, 200);
  assert.equal((await beginOver({ socketPath: file }, server)).status, 200);
  assert.equal(await server.stop(), 0);
  assert.ok((await lstat(file)).isSocket(), 'whoever made the socket removes it');
});

test('sockets that were meant for another process are left alone', async () => {
  await using server = await Program.start({
    env: { LISTEN_FDS: '1', LISTEN_PID: '1', SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' },
  });
  assert.equal((await ask({ port: await server.port() })).status, 200);
});

test('systemd starts the server with the first connection', async (context) => {
  const tool = await prepareDebianTool(['systemd', 'libsystemd-shared']);
  if (tool.kind === 'missing') return context.skip(`systemd ${tool.reason}`);
  const activate = path.join(tool.root, 'usr/bin/systemd-socket-activate');
  const [libraries = ''] = globSync(path.join(tool.root, 'usr/lib/*-linux-gnu/systemd'));
  const port = await freePort('::');
  const passed = ['SYNC_USER1', 'SYNC_BASE'].flatMap((name) => ['-E', name]);
  const under = ['env', `LD_LIBRARY_PATH=${libraries}`, activate, '-l', `127.0.0.1:${port}`, ...passed];
  await using server = await Program.start({ under });
  await server.printed(/Listening on 127\.0\.0\.1/);
  assert.equal((await ask({ port })).status, 200);
  assert.equal((await beginOver({ port }, server)).status, 200);
  assert.deepEqual(await server.urls(), [`http://127.0.0.1:${port}/`]);
  assert.equal(await server.stop(), 0);
});

test('a passed descriptor that is no socket stops the start with one line', async () => {
  const script = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" 3</dev/null';
  await using server = await Program.start({ under: ['sh', '-c', script] });
  assert.equal(await server.ended, 1);
  assert.match(server.output, /^anki-sync-server cannot start: LISTEN_FDS: cannot use socket 3: .*\n$/);
});
