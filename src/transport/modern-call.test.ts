import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HttpHarness, textAnswer } from '../../test/helpers/http-harness.ts';
import { SyncError } from '../errors.ts';
import { KiB, MiB } from '../limits.ts';
import { MEDIA_METHODS, SYNC_METHODS } from '../protocol/message.ts';

test('a message reaches its user with everything its header says', async () => {
  await using server = await HttpHarness.start();
  const reply = await server.modern('/sync/meta', '{"v":11,"cv":"x"}', { s: 'Sk1', c: '26.09.3,abc,linux' });
  assert.equal(reply.status, 200);
  const [received] = server.dispatcher.received;
  assert.equal(received?.content.toString(), '{"v":11,"cv":"x"}');
  const { folder, method, dress, hostKey, sessionKey, clientVersion } = received?.message ?? {};
  assert.deepEqual(
    { user: folder?.user, method, dress, hostKey, sessionKey, clientVersion },
    {
      user: 'ann',
      method: 'meta',
      dress: 'modern',
      hostKey: server.annKey,
      sessionKey: 'Sk1',
      clientVersion: '26.09.3,abc,linux',
    },
  );
});

test('small messages are handed on unopened, in a buffer of their own', async () => {
  await using server = await HttpHarness.start();
  const body = zstdCompressSync('{}');
  await server.send('/sync/chunk', { headers: server.modernHeaders(), body });
  const payload = server.dispatcher.received[0]?.message.payload;
  assert.ok(payload?.kind === 'bytes' && payload.coding === 'zstd');
  assert.deepEqual(Buffer.from(payload.bytes), body);
  assert.equal(payload.bytes.buffer.byteLength, body.length, 'it can be given to another thread');
});

test('answers are zstd with their original size, and no content encoding', async () => {
  await using server = await HttpHarness.start();
  const text = JSON.stringify({ name: 'ä'.repeat(100) });
  server.dispatcher.answer = () => textAnswer(text);
  const reply = await server.modern('/sync/meta');
  assert.equal(reply.headers['anki-original-size'], String(Buffer.byteLength(text)));
  assert.equal(reply.headers['content-encoding'], undefined);
  assert.equal(zstdDecompressSync(reply.raw).toString(), text);
});

test('answers that come compressed are passed on as they are, empty ones keep their size header', async () => {
  await using server = await HttpHarness.start();
  const bytes = new Uint8Array(zstdCompressSync('[1]'));
  server.dispatcher.answer = () => ({ kind: 'zstd', bytes, originalBytes: 3 });
  const reply = await server.modern('/sync/chunk');
  assert.deepEqual(new Uint8Array(reply.raw), bytes);
  assert.equal(reply.headers['anki-original-size'], '3');
  server.dispatcher.answer = () => textAnswer('');
  assert.equal((await server.modern('/sync/chunk')).headers['anki-original-size'], '0');
});

test('a large answer is compressed too', async () => {
  await using server = await HttpHarness.start();
  const text = JSON.stringify(randomBytes(MiB).toString('hex'));
  server.dispatcher.answer = () => textAnswer(text);
  assert.equal((await server.modern('/sync/chunk')).text, text);
});

test('header versions 8 to 10 get plain answers', async () => {
  await using server = await HttpHarness.start();
  server.dispatcher.answer = () => ({ kind: 'zstd', bytes: new Uint8Array(zstdCompressSync('[1]')), originalBytes: 3 });
  const reply = await server.modern('/sync/meta', '{}', { v: 10 });
  assert.equal(reply.raw.toString(), '[1]');
  assert.equal(reply.headers['content-type'], 'application/octet-stream');
  assert.equal(reply.headers['anki-original-size'], undefined);
  assert.equal(server.dispatcher.received[0]?.message.dress, 'legacy');
});

test('an upload is inflated into the incoming folder and removed when nobody took it', async () => {
  await using server = await HttpHarness.start();
  const collection = randomBytes(700 * KiB);
  const reply = await server.modern('/sync/upload', collection);
  assert.equal(reply.status, 200);
  const { message, content } = server.dispatcher.received[0] ?? {};
  assert.ok(message?.payload.kind === 'file');
  assert.equal(path.dirname(message.payload.path), message.folder.incoming);
  assert.equal(message.payload.byteLength, collection.length);
  assert.ok(content?.equals(collection));
  assert.deepEqual(await readdir(message.folder.incoming), []);
});

test('an upload without a body is handed on as an empty file', async () => {
  await using server = await HttpHarness.start();
  const reply = await server.send('/sync/upload', { headers: server.modernHeaders() });
  assert.equal(reply.status, 200);
  const payload = server.dispatcher.received[0]?.message.payload;
  assert.ok(payload?.kind === 'file' && payload.byteLength === 0);
});

test('a downloaded file is streamed, and disposed of as its answer says', async () => {
  await using server = await HttpHarness.start();
  const content = randomBytes(600 * KiB);
  const copy = path.join(server.base, 'copy');
  const live = path.join(server.base, 'live');
  for (const [file, afterwards] of [
    [copy, 'delete'],
    [live, 'release'],
  ] as const) {
    await writeFile(file, content);
    server.dispatcher.answer = () => ({ kind: 'file', path: file, byteLength: content.length, afterwards });
    const reply = await server.modern('/sync/download');
    assert.equal(reply.headers['anki-original-size'], String(content.length));
    assert.ok(zstdDecompressSync(reply.raw).equals(content));
  }
  assert.deepEqual(
    (await readdir(server.base)).filter((name) => name === 'copy' || name === 'live'),
    ['live'],
  );
  assert.deepEqual(server.dispatcher.released, ['ann']);
});

test('a client that goes away in a download gives the live file back', async () => {
  await using server = await HttpHarness.start();
  const live = path.join(server.base, 'live');
  await writeFile(live, randomBytes(20 * MiB));
  server.dispatcher.answer = () => ({ kind: 'file', path: live, byteLength: 20 * MiB, afterwards: 'release' });
  const socket = await server.connect();
  const body = zstdCompressSync('{}');
  const header = server.modernHeaders()['anki-sync'];
  socket.write(
    `POST /sync/download HTTP/1.1\r\nhost: x\r\nanki-sync: ${header}\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  socket.write(body);
  socket.once('data', () => socket.destroy());
  for (let tries = 0; server.dispatcher.released.length === 0 && tries < 100; tries++)
    await new Promise((go) => setTimeout(go, 20));
  assert.deepEqual(server.dispatcher.released, ['ann']);
});

test('hostKey answers the key of the official server to the right password only', async () => {
  await using server = await HttpHarness.start();
  const ask = (login: unknown) => server.modern('/sync/hostKey', JSON.stringify(login), { k: '' });
  assert.equal((await ask({ u: 'ann', p: 'secret' })).text, `{"key":"${server.annKey}"}`);
  for (const login of [
    { u: 'ann', p: 'Secret' },
    { u: 'ann', p: '' },
    { u: 'Ann', p: 'secret' },
    { u: 'ann ', p: 'secret' },
    { u: 'eve', p: 'secret' },
  ]) {
    assert.equal((await ask(login)).status, 403, JSON.stringify(login));
  }
  for (const login of [{ u: 'ann' }, { u: 'ann', p: null }, [], 'x']) {
    assert.equal((await ask(login)).status, 400, JSON.stringify(login));
  }
  assert.equal(server.dispatcher.received.length, 0);
});

test('every method but hostKey needs a known host key', async () => {
  await using server = await HttpHarness.start();
  const targets = [
    ...SYNC_METHODS.filter((method) => method !== 'hostKey').map((m) => `/sync/${m}`),
    ...MEDIA_METHODS.map((m) => `/msync/${m}`),
  ];
  for (const target of targets) {
    for (const k of ['', '0'.repeat(40), server.annKey.toUpperCase()]) {
      assert.equal((await server.modern(target, '{}', { k })).status, 403, `${target} ${k}`);
    }
  }
  assert.equal(server.dispatcher.received.length, 0);
});

test('with an unknown key a body that does not decompress is told first, and bad JSON is not looked at', async () => {
  await using server = await HttpHarness.start();
  const headers = server.modernHeaders({ k: 'nobody' });
  assert.equal((await server.send('/sync/meta', { headers, body: Buffer.from('xx') })).status, 400);
  assert.equal((await server.send('/sync/meta', { headers })).status, 400);
  assert.equal((await server.send('/sync/meta', { headers, body: zstdCompressSync('{') })).status, 403);
  assert.equal(
    (await server.send('/sync/upload', { headers, body: zstdCompressSync(randomBytes(3 * MiB)) })).status,
    403,
  );
  assert.equal(
    (await server.send('/sync/meta', { headers, body: zstdCompressSync(Buffer.alloc(20 * MiB)) })).status,
    403,
  );
});

test('bodies that do not decompress are refused and leave nothing behind', async () => {
  await using server = await HttpHarness.start();
  const whole = zstdCompressSync(randomBytes(300 * KiB));
  const checked = zstdCompressSync('{"v":11,"cv":"x"}', { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const lastByte = checked.length - 1;
  checked.writeUInt8(checked.readUInt8(lastByte) ^ 1, lastByte);
  const bodies = { garbage: Buffer.from('not zstd'), truncated: whole.subarray(0, -3), 'wrong checksum': checked };
  for (const [what, body] of Object.entries(bodies)) {
    for (const target of ['/sync/upload', '/msync/uploadChanges', '/sync/meta']) {
      const reply = await server.send(target, { headers: server.modernHeaders(), body });
      assert.equal(reply.status, 400, `${what} to ${target}`);
      assert.equal(reply.raw.toString(), '400');
    }
  }
  assert.deepEqual(await readdir(path.join(server.base, 'ann', 'incoming')), []);
});

test('a collection of the size limit gets the text of the official server, media beyond it a refusal', async () => {
  await using server = await HttpHarness.start({ payloadBytesMax: MiB, inflatedBytesMax: 3 * MiB });
  const tooLarge = await server.modern('/sync/upload', Buffer.alloc(3 * MiB));
  assert.equal(tooLarge.status, 200);
  assert.equal(tooLarge.text, 'collection exceeds size limit');
  assert.equal(server.dispatcher.received.length, 0);
  assert.equal((await server.modern('/sync/upload', Buffer.alloc(3 * MiB - 1))).text, '{}');
  assert.equal((await server.modern('/msync/uploadChanges', Buffer.alloc(3 * MiB + 1))).status, 400);
  assert.equal((await server.modern('/msync/uploadChanges', Buffer.alloc(3 * MiB))).status, 200);
});

test('files that do not compress may be larger than the limit of compressed messages, as in the official server', async () => {
  await using server = await HttpHarness.start({ payloadBytesMax: MiB, inflatedBytesMax: 3 * MiB });
  assert.equal((await server.modern('/sync/upload', randomBytes(2.5 * MiB))).text, '{}');
  assert.equal((await server.modern('/sync/applyChunk', randomBytes(1.5 * MiB))).status, 413);
});

test('a login of more than 64 KiB is refused, compressed or not', async () => {
  await using server = await HttpHarness.start();
  assert.equal((await server.modern('/sync/hostKey', randomBytes(70 * KiB), { k: '' })).status, 413);
  assert.equal((await server.modern('/sync/hostKey', Buffer.alloc(50 * MiB), { k: '' })).status, 400);
});

test('refusals say why in the status line, faults do not', async () => {
  await using server = await HttpHarness.start();
  const cases = [
    [
      new SyncError('syncConflict', 'Cannot continue sync for "änn": other key'),
      409,
      'Cannot continue sync for "?nn": other key',
    ],
    [new SyncError('clientTooOld', 'Cannot sync with version 7'), 501, 'Cannot sync with version 7'],
    [new SyncError('collectionInconsistent', 'Cannot merge'), 400, 'Cannot merge'],
    [new Error('disk /secret/path is full'), 500, 'Internal Server Error'],
  ] as const;
  for (const [error, status, reason] of cases) {
    server.dispatcher.answer = () => Promise.reject(error);
    const reply = await server.modern('/sync/start');
    assert.deepEqual(
      { ...reply, headers: undefined, raw: undefined },
      { status, reason, text: String(status), headers: undefined, raw: undefined },
    );
    assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(reply.headers['anki-original-size'], undefined);
  }
});
