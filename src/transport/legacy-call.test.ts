import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync, zstdDecompressSync } from 'node:zlib';
import { type FormField, formBody, HttpHarness, textAnswer } from '../../test/helpers/http-harness.ts';
import { KiB, MiB } from '../limits.ts';

const form = { 'content-type': 'multipart/form-data; boundary=Anki-sync-boundary' };
const meta = '{"v":10,"cv":"ankidesktop,2.1.26 (x),lin:x"}';
const gz = (text: string | Uint8Array) => gzipSync(text);

test('fields come in any order, the payload first or last', async () => {
  await using server = await HttpHarness.start();
  const k: FormField = ['k', server.annKey];
  const orders: FormField[][] = [
    [k, ['s', 'w{M!'], ['c', '1'], ['data', gz(meta)]],
    [['data', gz(meta)], ['c', '1'], k, ['s', 'w{M!']],
    [['s', 'w{M!'], ['data', gz(meta)], k, ['c', '1']],
  ];
  for (const fields of orders) assert.equal((await server.form('/sync/meta', fields)).status, 200);
  for (const { message, content } of server.dispatcher.received) {
    assert.equal(content.toString(), meta);
    assert.deepEqual([message.folder.user, message.sessionKey, message.dress], ['ann', 'w{M!', 'legacy']);
  }
  assert.equal(server.dispatcher.received.length, orders.length);
});

test('answers are plain bytes with their length', async () => {
  await using server = await HttpHarness.start();
  server.dispatcher.answer = () => textAnswer('{"ä":1}');
  const reply = await server.form('/sync/meta', [
    ['k', server.annKey],
    ['data', Buffer.from(meta)],
  ]);
  assert.equal(reply.raw.toString(), '{"ä":1}');
  assert.equal(reply.headers['content-type'], 'application/octet-stream');
  assert.equal(reply.headers['content-length'], '8');
  assert.equal(reply.headers['anki-original-size'], undefined);
});

test('the payload is compressed unless c is 0 or absent', async () => {
  await using server = await HttpHarness.start();
  const coding = async (...fields: FormField[]) => {
    await server.form('/sync/meta', [['k', server.annKey], ...fields]);
    const payload = server.dispatcher.received.at(-1)?.message.payload;
    return payload?.kind === 'bytes' ? payload.coding : undefined;
  };
  assert.equal(await coding(['c', '0'], ['data', Buffer.from(meta)]), 'identity');
  assert.equal(await coding(['data', Buffer.from(meta)]), 'identity');
  for (const c of ['1', '2', '', 'yes', '00', ' 0'])
    assert.equal(await coding(['c', c], ['data', gz(meta)]), 'gzip', c);
});

test('a missing or empty payload means no arguments, also when c says that it is compressed', async () => {
  await using server = await HttpHarness.start();
  const k: FormField = ['k', server.annKey];
  await server.form('/sync/abort', [k, ['c', '1']]);
  await server.form('/sync/abort', [k, ['c', '1'], ['data', Buffer.alloc(0)]]);
  assert.deepEqual(
    server.dispatcher.received.map(({ content }) => content.toString()),
    ['{}', '{}'],
  );
});

test('sk authenticates as k does, of repeated fields the last counts, unknown fields do no harm', async () => {
  await using server = await HttpHarness.start();
  const status = async (...fields: FormField[]) => (await server.form('/msync/mediaChanges', fields)).status;
  const data: FormField = ['data', Buffer.from('{"lastUsn":0}')];
  assert.equal(await status(data, ['sk', server.annKey]), 200);
  assert.equal(await status(['k', 'wrong'], ['k', server.annKey], data), 200);
  assert.equal(await status(['x', '1'], ['k', server.annKey], data, ['y', Buffer.from([0, 255])]), 200);
  assert.equal(await status(['k', server.annKey], ['data', Buffer.from('old')], data), 200);
  assert.equal(server.dispatcher.received.at(-1)?.content.toString(), '{"lastUsn":0}');
  assert.equal(await status(['k', server.annKey], ['sk', 'wrong'], data), 403);
  assert.equal(await status(data), 403);
  assert.equal(await status(data, ['k', 'wrong']), 403);
  assert.equal(await status(['k', 'wrong'], data), 403);
});

test('a payload with line breaks, dashes and near-boundaries arrives whole, in any pieces', async () => {
  await using server = await HttpHarness.start();
  const payload = Buffer.concat([
    Buffer.from('\r\n--Anki-sync-boundar\r\n--\r\n'),
    randomBytes(5000),
    Buffer.from('\r\n'),
  ]);
  const body = formBody([
    ['data', payload],
    ['k', server.annKey],
  ]);
  for (const pieceBytes of [1, 7, 64, body.length]) {
    const pieces = Array.from({ length: Math.ceil(body.length / pieceBytes) }, (_, at) =>
      body.subarray(at * pieceBytes, (at + 1) * pieceBytes),
    );
    const reply = await server.send('/sync/meta', { headers: form, body: Readable.from(pieces) });
    assert.equal(reply.status, 200, `pieces of ${pieceBytes}`);
    assert.ok(server.dispatcher.received.at(-1)?.content.equals(payload));
  }
});

test('boundaries may be quoted, header names in any letter case, parts without content type', async () => {
  await using server = await HttpHarness.start();
  const boundary = "0a1b-2c3d'xyz";
  const body = formBody(
    [
      ['k', server.annKey],
      ['data', Buffer.from(meta)],
    ],
    boundary,
  );
  const quoted = { 'content-type': `multipart/form-data; boundary="${boundary}"` };
  assert.equal((await server.send('/sync/meta', { headers: quoted, body })).status, 200);
  const plain = formBody([
    ['k', server.annKey],
    ['data', meta],
  ]);
  for (const type of [
    'Multipart/Form-Data; BOUNDARY=Anki-sync-boundary',
    'multipart/form-data;boundary=Anki-sync-boundary',
  ]) {
    assert.equal((await server.send('/sync/meta', { headers: { 'Content-type': type }, body: plain })).status, 200);
  }
  assert.equal(server.dispatcher.received.at(-1)?.content.toString(), meta);
});

// Anki 2.0 and AnkiDroid up to 2.8 end the body of `download` behind its last text field.
test('download without a closing boundary works, a payload without one is refused', async () => {
  await using server = await HttpHarness.start();
  const [k, c, data]: FormField[] = [
    ['k', server.annKey],
    ['c', '1'],
    ['data', gz(meta)],
  ];
  assert.ok(k && c && data);
  const status = async (body: Buffer) => (await server.send('/sync/download', { headers: form, body })).status;
  assert.equal(await status(formBody([k, ['v', 'ankidroid,2.8'], c], undefined, false)), 200);
  assert.equal(await status(formBody([data, c, k], undefined, false)), 200);
  assert.equal(await status(formBody([k, c], undefined, false).subarray(0, -2)), 200);
  assert.equal(server.dispatcher.received.at(-1)?.message.hostKey, server.annKey);
  assert.equal(await status(formBody([k, c, data], undefined, false)), 400);
  assert.equal(await status(formBody([k, ['data', randomBytes(9000)]], undefined, false)), 400);
  assert.equal(await status(formBody([k, c, data]).subarray(0, 60)), 400);
  assert.equal(server.dispatcher.received.length, 3);
});

test('an epilogue, a preamble and a closing boundary without line end do no harm', async () => {
  await using server = await HttpHarness.start();
  const body = formBody([
    ['k', server.annKey],
    ['data', meta],
  ]);
  const variants = [
    Buffer.concat([body, Buffer.from('more')]),
    Buffer.concat([Buffer.from('x\r\n'), body]),
    body.subarray(0, -2),
  ];
  for (const variant of variants)
    assert.equal((await server.send('/sync/meta', { headers: form, body: variant })).status, 200);
});

test('what is no form is refused', async () => {
  await using server = await HttpHarness.start();
  const body = formBody([
    ['k', server.annKey],
    ['data', meta],
  ]);
  const status = async (headers: Record<string, string>, sent?: Buffer) =>
    (await server.send('/sync/meta', { headers, ...(sent && { body: sent }) })).status;
  assert.equal(await status(form), 400, 'no body');
  assert.equal(await status(form, Buffer.from('garbage')), 400, 'garbage');
  assert.equal(await status({ 'content-type': 'multipart/form-data' }, body), 400, 'no boundary');
  assert.equal(await status({ 'content-type': 'application/octet-stream' }, body), 400, 'another content type');
  assert.equal(await status({ 'content-type': 'nonsense' }, body), 400, 'a broken content type');
  assert.equal(await status({}, body), 400, 'no content type');
  assert.equal(await status(form, Buffer.from('--Anki-sync-boundary--\r\n')), 403, 'an empty form has no key');
});

test('GET begin takes key and version from its query', async () => {
  await using server = await HttpHarness.start();
  const get = (query: string, method = 'GET') => server.send(`/msync/begin?${query}`, { method });
  const reply = await get(`v=anki%2C2.1.54+%28abc%29%2Cwin&k=${server.annKey}&z=1`);
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['content-type'], 'application/octet-stream');
  const { message, content } = server.dispatcher.received[0] ?? {};
  assert.deepEqual(
    [message?.method, message?.clientVersion, message?.dress, content?.toString()],
    ['begin', 'anki,2.1.54 (abc),win', 'legacy', '{}'],
  );
  assert.equal((await get(`k=${server.annKey}`)).status, 400);
  assert.equal((await get('v=x')).status, 400);
  assert.equal((await get('k=nobody&v=x')).status, 403);
  assert.equal((await get(`k=${server.annKey}&v=x`, 'HEAD')).status, 200);
});

test('an upload is gunzipped into the incoming folder, raw media are copied there', async () => {
  await using server = await HttpHarness.start();
  const content = randomBytes(700 * KiB);
  await server.form('/sync/upload', [
    ['data', gz(content)],
    ['c', '1'],
    ['k', server.annKey],
  ]);
  await server.form('/msync/uploadChanges', [
    ['data', content],
    ['sk', server.annKey],
  ]);
  await server.form('/sync/upload', [
    ['k', server.annKey],
    ['c', '1'],
  ]);
  const seen = server.dispatcher.received.map(({ message, content: bytes }) => [
    message.payload.kind,
    bytes.length,
    content.equals(bytes),
  ]);
  assert.deepEqual(seen, [
    ['file', content.length, true],
    ['file', content.length, true],
    ['file', 0, false],
  ]);
  assert.deepEqual(await readdir(path.join(server.base, 'ann', 'incoming')), []);
  assert.deepEqual(await readdir(server.spoolFolder), []);
});

test('broken and truncated gzip is refused and leaves nothing behind', async () => {
  await using server = await HttpHarness.start();
  const whole = gz(randomBytes(400 * KiB));
  for (const data of [
    whole.subarray(0, -6),
    Buffer.from('raw'),
    Buffer.concat([whole.subarray(0, 1000), randomBytes(1000)]),
  ]) {
    const reply = await server.form('/sync/upload', [
      ['k', server.annKey],
      ['c', '1'],
      ['data', data],
    ]);
    assert.equal(reply.status, 400);
  }
  assert.deepEqual(await readdir(path.join(server.base, 'ann', 'incoming')), []);
  assert.deepEqual(await readdir(server.spoolFolder), []);
});

test('a form beyond MAX_SYNC_PAYLOAD_MEGS is refused, an inflated collection beyond three times that by its text', async () => {
  await using server = await HttpHarness.start({ payloadBytesMax: MiB, inflatedBytesMax: 3 * MiB });
  const k: FormField = ['k', server.annKey];
  assert.equal((await server.form('/sync/upload', [k, ['c', '0'], ['data', randomBytes(MiB + 10)]])).status, 400);
  assert.equal((await server.form('/sync/upload', [k, ['c', '0'], ['data', randomBytes(MiB - 2000)]])).status, 200);
  const bomb = await server.form('/sync/upload', [k, ['c', '1'], ['data', gz(Buffer.alloc(4 * MiB))]]);
  assert.deepEqual([bomb.status, bomb.raw.toString()], [200, 'collection exceeds size limit']);
});

test('hostKey works in legacy dress', async () => {
  await using server = await HttpHarness.start();
  const ask = (login: string) =>
    server.form('/sync/hostKey', [
      ['c', '1'],
      ['data', gz(login)],
    ]);
  assert.equal((await ask('{"u":"ann","p":"secret"}')).raw.toString(), `{"key":"${server.annKey}"}`);
  assert.equal((await ask('{"u":"ann","p":"x"}')).status, 403);
  assert.equal((await server.form('/sync/hostKey', [['data', randomBytes(200 * KiB)]])).status, 413);
});

test('what strangers send before their key has a common bound on the disk, and known senders are not held up by it', async () => {
  await using server = await HttpHarness.start({ payloadBytesMax: MiB, inflatedBytesMax: 3 * MiB });
  const start = formBody([['data', randomBytes(900 * KiB)]], undefined, false);
  const head = `POST /msync/uploadChanges HTTP/1.1\r\nhost: x\r\ncontent-type: ${form['content-type']}\r\ncontent-length: ${MiB}\r\n\r\n`;
  const sockets = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
  for (const socket of sockets) socket.write(Buffer.concat([Buffer.from(head), start]));
  while ((await readdir(server.spoolFolder)).length < sockets.length) await new Promise((go) => setTimeout(go, 10));
  await new Promise((go) => setTimeout(go, 200));
  const [data, k]: FormField[] = [
    ['data', randomBytes(900 * KiB)],
    ['k', server.annKey],
  ];
  assert.ok(data && k);
  assert.equal((await server.form('/msync/uploadChanges', [data, k])).status, 500);
  assert.equal((await server.form('/msync/uploadChanges', [k, data])).status, 200);
  for (const socket of sockets) socket.destroy();
  while ((await readdir(server.spoolFolder)).length > 0) await new Promise((go) => setTimeout(go, 10));
  assert.equal((await server.form('/msync/uploadChanges', [data, k])).status, 200);
});

const exchanges = path.join(import.meta.dirname, '../../test/fixtures/exchanges');

interface Recorded {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly fields: Readonly<Record<string, string>>;
    readonly json?: unknown;
    /** The payload when it is a file, compressed by zstd. */
    readonly file?: string;
  };
  readonly response: { readonly status: number };
}

for (const folder of readdirSync(exchanges).filter((name) => name.startsWith('legacy-'))) {
  test(`every request of ${folder} is read as its client meant it`, async () => {
    await using server = await HttpHarness.start({ users: ['learner:correct horse'] });
    const files = readdirSync(path.join(exchanges, folder)).filter((name) => /^\d+-\w+\.json$/.test(name));
    assert.ok(files.length > 0);
    for (const file of files.sort()) await replay(server, path.join(exchanges, folder, file));
  });
}

async function replay(server: HttpHarness, file: string): Promise<void> {
  const { request, response }: Recorded = JSON.parse(readFileSync(file, 'utf8'));
  const { host: _host, 'content-length': _length, 'transfer-encoding': coding, ...headers } = request.headers;
  const recorded = request.method === 'POST' ? readFileSync(file.replace(/json$/, 'request.multipart')) : undefined;
  const body = coding === 'chunked' && recorded !== undefined ? Readable.from([recorded]) : recorded;
  const reply = await server.send(request.path, { method: request.method, headers, ...(body && { body }) });
  assert.equal(reply.status, response.status, file);
  if (request.path.endsWith('/hostKey')) return;
  const { message, content } = server.dispatcher.received.at(-1) ?? {};
  const { fields } = request;
  assert.deepEqual(
    [message?.method, message?.hostKey, message?.sessionKey, message?.clientVersion],
    [request.path.replace(/^.*\/|\?.*$/g, ''), fields['k'] ?? fields['sk'], fields['s'] ?? '', fields['v'] ?? ''],
    file,
  );
  if (request.file !== undefined) {
    const stored = zstdDecompressSync(readFileSync(path.join(path.dirname(file), request.file)));
    assert.ok(content?.equals(stored), `${file}: the payload differs`);
  } else {
    assert.deepEqual(JSON.parse(String(content)), request.json ?? {}, file);
  }
}
