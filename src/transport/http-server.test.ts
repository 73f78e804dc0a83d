import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { formBody, HttpHarness, readUntil, textAnswer } from '../../test/helpers/http-harness.ts';
import { KiB, MiB } from '../limits.ts';

test('health is told to GET and HEAD', async () => {
  await using server = await HttpHarness.start();
  for (const method of ['GET', 'HEAD']) {
    const reply = await server.send('/health', { method });
    assert.deepEqual([reply.status, reply.text], [200, '']);
  }
});

test('the root says in plain words what this is', async () => {
  await using server = await HttpHarness.start();
  assert.match((await server.send('/', { method: 'GET' })).text, /sync server for Anki/);
});

test('wrong verbs get 405 and the right ones', async () => {
  await using server = await HttpHarness.start();
  const cases = [
    ['/health', ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'], 'GET,HEAD'],
    ['/sync/meta', ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'], 'POST'],
    ['/sync/nonsense', ['GET'], 'POST'],
    ['/msync/mediaChanges', ['GET', 'HEAD', 'PUT', 'OPTIONS'], 'POST'],
    ['/msync/begin', ['PUT', 'OPTIONS'], 'GET,HEAD,POST'],
  ] as const;
  for (const [target, methods, allowed] of cases) {
    for (const method of methods) {
      const reply = await server.send(target, { method });
      assert.deepEqual([reply.status, reply.headers.allow, reply.text], [405, allowed, ''], `${method} ${target}`);
    }
  }
});

test('unknown addresses get 404 without a body', async () => {
  await using server = await HttpHarness.start();
  const targets = [
    '/nope',
    '/sync',
    '/sync/',
    '/msync',
    '/msync/',
    '/sync/meta/',
    '/sync//meta',
    '//sync/meta',
    '/health/',
    '/msync/begin/',
    '/sync/meta/x',
    '/Sync/meta',
  ];
  for (const target of targets) {
    for (const method of ['GET', 'POST']) {
      const reply = await server.send(target, { method });
      assert.deepEqual([reply.status, reply.text], [404, ''], `${method} ${target}`);
    }
  }
});

test('unknown method names get 400 and an explanation; the letter case counts', async () => {
  await using server = await HttpHarness.start();
  for (const target of [
    '/sync/nonsense',
    '/sync/Meta',
    '/sync/hostkey',
    '/sync/begin',
    '/msync/bogus',
    '/msync/meta',
    '/msync/Begin',
    '/sync/__proto__',
  ]) {
    const reply = await server.send(target);
    assert.equal(reply.status, 400, target);
    assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8');
    assert.match(reply.text, /no sync method/);
  }
});

test('a broken address is refused in plain text', async () => {
  await using server = await HttpHarness.start();
  assert.deepEqual([(await server.send('/%zz')).status, (await server.send('/%zz')).text], [400, '400']);
});

test('addresses that people really type reach their method', async () => {
  await using server = await HttpHarness.start();
  const targets = [
    '//sync/meta',
    '/sync/sync/meta',
    '/sync//meta',
    '/sync/meta/',
    '/anki/sync/meta',
    '/syncmeta',
    '/meta',
    '/Sync/meta',
    '/sync/m%65ta',
    '/sync/meta?x=1',
    'http://elsewhere.example/sync/meta',
  ];
  for (const target of targets) assert.equal((await server.modern(target)).status, 200, target);
  const media = ['/msync/begin', '/sync/msync/begin', '/msyncbegin', '/begin', '/sync/begin', '/anki//msync/begin/'];
  for (const target of media) {
    assert.equal(
      (
        await server.form(target, [
          ['k', server.annKey],
          ['v', 'x'],
        ])
      ).status,
      200,
      target,
    );
    assert.equal(
      (await server.send(`${target}?v=x&k=${server.annKey}`, { method: 'GET' })).status,
      200,
      `GET ${target}`,
    );
  }
  const methods = server.dispatcher.received.map(({ message }) => message.method);
  assert.equal(methods.filter((method) => method === 'meta').length, targets.length);
  assert.equal(methods.filter((method) => method === 'begin').length, 2 * media.length);
});

test('of several sync headers the first counts', async () => {
  await using server = await HttpHarness.start();
  const good = String(server.modernHeaders()['anki-sync']);
  const body = zstdCompressSync('{}');
  assert.equal((await server.send('/sync/meta', { headers: { 'anki-sync': [good, 'x'] }, body })).status, 200);
  assert.equal((await server.send('/sync/meta', { headers: { 'anki-sync': ['x', good] }, body })).status, 400);
});

test('a sync header wins over a form, and a swollen one is refused', async () => {
  await using server = await HttpHarness.start();
  const headers = { ...server.modernHeaders(), 'content-type': 'multipart/form-data; boundary=b' };
  assert.equal((await server.send('/sync/meta', { headers, body: formBody([['k', server.annKey]], 'b') })).status, 400);
  for (const size of [5 * KiB, 40 * KiB, 200 * KiB]) {
    assert.equal((await server.modern('/sync/meta', '{}', { x: 'y'.repeat(size) })).status, 400, `${size} bytes`);
  }
});

test('one connection carries many requests, refused ones between them', async () => {
  await using server = await HttpHarness.start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  const ask = (body: Uint8Array) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: server.port,
        path: '/sync/meta',
        method: 'POST',
        headers: server.modernHeaders(),
        agent,
      };
      const request = httpRequest(options, (response) =>
        response.resume().on('end', () => resolve(response.statusCode)),
      );
      request.on('error', reject);
      request.on('socket', (socket) => ports.add(socket.localPort));
      request.end(body);
    });
  const statuses: unknown[] = [];
  for (const body of [zstdCompressSync('{}'), Buffer.from('x'), Buffer.alloc(2 * MiB), zstdCompressSync('{}')])
    statuses.push(await ask(body));
  agent.destroy();
  assert.deepEqual(statuses, [200, 400, 400, 200]);
  assert.equal(ports.size, 1);
});

test('a refusal is heard although the body is still on its way', async () => {
  await using server = await HttpHarness.start();
  const body = Readable.from(Array.from({ length: 100 }, () => randomBytes(64 * KiB)));
  const reply = await server.send('/sync/upload', { headers: { 'anki-sync': 'not json' }, body });
  assert.deepEqual([reply.status, reply.text], [400, '400']);
});

test('whoever goes on sending for ever after a refusal is cut off', async () => {
  await using server = await HttpHarness.start({ lingerMsMax: 200 });
  const socket = await server.connect();
  socket.write('POST /sync/meta HTTP/1.1\r\nhost: x\r\nanki-sync: x\r\ntransfer-encoding: chunked\r\n\r\n');
  const feeding = setInterval(() => socket.write('1\r\nx\r\n'), 20);
  const text = await readUntil(socket);
  clearInterval(feeding);
  assert.match(text, /^HTTP\/1.1 400 /);
});

test('Expect: 100-continue is answered', async () => {
  await using server = await HttpHarness.start();
  const body = zstdCompressSync('{}');
  const socket = await server.connect();
  socket.write(
    `POST /sync/meta HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nanki-sync: ${server.modernHeaders()['anki-sync']}\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  const first = await readUntil(socket, (text) => text.includes('\r\n\r\n'));
  assert.match(first, / 100 /);
  socket.write(body);
  assert.match(await readUntil(socket, (text) => text.includes(' 200 ')), / 200 /);
  socket.destroy();
});

test('HTTP/1.0 works, HTTP/2 without TLS does not', async () => {
  await using server = await HttpHarness.start();
  const body = zstdCompressSync('{}');
  const old = await server.connect();
  old.write(
    `POST /sync/meta HTTP/1.0\r\nanki-sync: ${server.modernHeaders()['anki-sync']}\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  old.write(body);
  assert.match(await readUntil(old), / 200 /);
  const newer = await server.connect();
  newer.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  assert.match(await readUntil(newer), /^HTTP\/1.1 400 /);
});

test('a client that stops in the middle of its body is told so and cut off', async () => {
  await using server = await HttpHarness.start({ stalledMsMax: 200 });
  const bodies = {
    [`anki-sync: ${server.modernHeaders()['anki-sync']}`]: zstdCompressSync('{}').subarray(0, 6),
    'content-type: multipart/form-data; boundary=b': Buffer.from('--b\r\n'),
  };
  for (const [head, start] of Object.entries(bodies)) {
    for (const target of ['/sync/upload', '/sync/meta']) {
      const socket = await server.connect();
      socket.write(`POST ${target} HTTP/1.1\r\nhost: x\r\n${head}\r\ncontent-length: 1000\r\n\r\n`);
      socket.write(start);
      const text = await readUntil(socket);
      assert.match(text, /^HTTP\/1.1 408 .*no byte came/, head);
    }
  }
});

test('a slow client that keeps moving is never cut off', async () => {
  await using server = await HttpHarness.start({ stalledMsMax: 1500 });
  const body = zstdCompressSync(randomBytes(20));
  const drops = async function* () {
    for (const byte of body) {
      await sleep(40);
      yield Buffer.from([byte]);
    }
  };
  const startedMs = performance.now();
  const reply = await server.send('/sync/upload', { headers: server.modernHeaders(), body: Readable.from(drops()) });
  assert.equal(reply.status, 200);
  assert.ok(performance.now() - startedMs > 1000);
});

test('work on an answer may take longer than a client may be silent', async () => {
  await using server = await HttpHarness.start({ stalledMsMax: 100 });
  server.dispatcher.answer = async () => {
    await sleep(400);
    return textAnswer('{"late":true}');
  };
  assert.equal((await server.modern('/sync/meta')).text, '{"late":true}');
  assert.equal((await server.form('/sync/meta', [['k', server.annKey]])).raw.toString(), '{"late":true}');
});

test('a client that goes away while it sends is no fault and reaches nobody', async () => {
  await using server = await HttpHarness.start();
  const socket = await server.connect();
  socket.write(
    `POST /sync/upload HTTP/1.1\r\nhost: x\r\nanki-sync: ${server.modernHeaders()['anki-sync']}\r\ncontent-length: 1000\r\n\r\n`,
  );
  await sleep(50);
  socket.destroy();
  const line = await server.lastLine();
  assert.equal(line?.level, 'info');
  assert.match(String(line?.fields['context']), /closed the connection/);
  assert.equal(server.dispatcher.received.length, 0);
});

test('a client that goes away while its answer is made harms nobody, and files are disposed of', async () => {
  await using server = await HttpHarness.start();
  const copy = path.join(server.base, 'copy');
  const body = zstdCompressSync('{}');
  const head = `anki-sync: ${server.modernHeaders()['anki-sync']}\r\ncontent-length: ${body.length}\r\n\r\n`;
  for (const kind of ['bytes', 'file', 'error'] as const) {
    const socket = await server.connect();
    server.dispatcher.answer = async () => {
      socket.destroy();
      await sleep(100);
      if (kind === 'error') throw new Error('disk is gone');
      if (kind === 'bytes') return textAnswer('x'.repeat(1000));
      await writeFile(copy, randomBytes(MiB));
      return { kind, path: copy, byteLength: MiB, afterwards: 'delete' };
    };
    server.lines.length = 0;
    socket.write(`POST /sync/download HTTP/1.1\r\nhost: x\r\n${head}`);
    socket.write(body);
    await new Promise((resolve) => socket.once('close', resolve));
    await sleep(250);
    assert.equal(server.lines.length, 1, kind);
    if (kind === 'error') assert.match(String(server.lines.at(-1)?.fields['context']), /disk is gone/);
  }
  assert.ok(!existsSync(copy));
  assert.equal((await server.send('/health', { method: 'GET' })).status, 200);
});

test('closing lets a running request finish, and ends its connection then', async () => {
  const server = await HttpHarness.start();
  let isReached = () => {};
  const reached = new Promise<void>((resolve) => {
    isReached = resolve;
  });
  server.dispatcher.answer = async () => {
    isReached();
    await sleep(200);
    return textAnswer('{}');
  };
  const agent = new Agent({ keepAlive: true });
  const status = new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: server.port,
      path: '/sync/meta',
      method: 'POST',
      headers: server.modernHeaders(),
      agent,
    };
    const request = httpRequest(options, (response) => response.resume().on('end', () => resolve(response.statusCode)));
    request.on('error', reject).end(zstdCompressSync('{}'));
  });
  await reached;
  const startedMs = performance.now();
  await server.server.close(10_000);
  assert.equal(await status, 200);
  assert.ok(performance.now() - startedMs < 3000, 'it does not wait for idle connections');
  await server[Symbol.asyncDispose]();
});

test('closing cuts off what does not end in time', async () => {
  const server = await HttpHarness.start();
  const socket = await server.connect();
  socket.write(
    `POST /sync/upload HTTP/1.1\r\nhost: x\r\nanki-sync: ${server.modernHeaders()['anki-sync']}\r\ncontent-length: 1000\r\n\r\n`,
  );
  await sleep(50);
  const startedMs = performance.now();
  await server.server.close(200);
  assert.ok(performance.now() - startedMs < 2000);
  await server[Symbol.asyncDispose]();
});

test('each request is one line that names user, session, client and outcome, and no secret', async () => {
  await using server = await HttpHarness.start();
  await server.modern('/sync/meta');
  const line = await server.lastLine();
  assert.equal(line?.level, 'info');
  const { uri, uid, session, client, ip, httpstatus, elap_ms, bytes_in, bytes_out } = line?.fields ?? {};
  assert.deepEqual(
    [uri, uid, session, client, ip, httpstatus],
    ['/sync/meta', 'ann', 'abc123', '26.09.3,test,here', '127.0.0.1', 200],
  );
  assert.ok([elap_ms, bytes_in, bytes_out].every((value) => typeof value === 'number' && value >= 0));
  await server.modern('/sync/hostKey', '{"u":"ann","p":"secret"}', { k: '' });
  await server.modern('/sync/hostKey', '{"u":"ann","p":"hunter2"}', { k: '' });
  await server.send(`/msync/begin?k=${server.annKey}&v=x`, { method: 'GET' });
  await server.send(`/begin/?k=${server.annKey}&v=x`, { method: 'GET' });
  await server.send('/sync/meta', { headers: { 'anki-sync': `{"k":"${server.annKey}"}` } });
  await sleep(50);
  const all = JSON.stringify(server.lines);
  for (const secret of [server.annKey, 'hunter2', 'secret']) assert.ok(!all.includes(secret), secret);
  assert.equal(server.lines.filter(({ fields }) => 'uri' in fields).length, 6);
});

test('health probes and faults have levels of their own', async () => {
  await using server = await HttpHarness.start();
  await server.send('/health', { method: 'GET' });
  assert.equal((await server.lastLine())?.level, 'debug');
  server.lines.length = 0;
  server.dispatcher.answer = () => Promise.reject(new Error('cannot read', { cause: new Error('disk is gone') }));
  await server.modern('/sync/meta');
  const line = await server.lastLine();
  assert.equal(line?.level, 'error');
  assert.equal(line?.fields['context'], 'cannot read, because: disk is gone');
  assert.match(String(line?.fields['stack']), /http-server.test/);
});

test('behind a proxy the client address comes from its header, or from the connection when that is unusable', async () => {
  await using server = await HttpHarness.start({ ipHeader: 'XRealIp' });
  const ip = async (...values: string[]) => {
    server.lines.length = 0;
    const headers = { ...server.modernHeaders(), 'x-real-ip': values };
    assert.equal((await server.send('/sync/meta', { headers, body: zstdCompressSync('{}') })).status, 200);
    return (await server.lastLine())?.fields['ip'];
  };
  assert.equal(await ip('203.0.113.7'), '203.0.113.7');
  assert.equal(await ip('somewhere'), '127.0.0.1');
  assert.equal(await ip('1.2.3.4', '1.2.3.5'), '127.0.0.1');
});

test('headers that never end close the connection, also while nothing else happens', async () => {
  await using server = await HttpHarness.start({ headersMsMax: 200 });
  const socket = await server.connect();
  socket.write('GET / HTTP/1.1\r\nhost');
  assert.match(await readUntil(socket), /^HTTP\/1\.1 400 /);
  assert.ok(socket.readableEnded || socket.destroyed);
});
