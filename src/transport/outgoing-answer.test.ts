import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HttpHarness } from '../../test/helpers/http-harness.ts';
import { MiB } from '../limits.ts';

interface Received {
  readonly status: number | undefined;
  readonly bytes: Buffer;
  /** The connection ended before the answer did. */
  readonly isCutOff: boolean;
}

/** Downloads; tells how many bytes had arrived by the time that `soundness` was decided. */
async function download(
  server: HttpHarness,
  dress: 'modern' | 'legacy',
  decide: (resolve: () => void, reject: (error: Error) => void) => void,
  { content = randomBytes(3 * MiB), soundnessWaitMs = 0 } = {},
): Promise<Received & { readonly before: number; readonly isReleased: boolean; readonly content: Buffer }> {
  const file = path.join(server.base, 'collection');
  await writeFile(file, content);
  let before = 0;
  const pieces: Buffer[] = [];
  server.dispatcher.answer = async () => {
    const soundness = new Promise<void>((resolve, reject) => {
      setTimeout(() => {
        before = Buffer.concat(pieces).length;
        decide(resolve, reject);
      }, 300);
    });
    soundness.catch(() => {});
    return { kind: 'file', path: file, byteLength: content.length, afterwards: 'release', soundness, soundnessWaitMs };
  };
  const isForm = dress === 'legacy';
  const form = `--x\r\nContent-Disposition: form-data; name="k"\r\n\r\n${server.annKey}\r\n--x--\r\n`;
  const received = await new Promise<Received>((resolve, reject) => {
    const headers = isForm ? { 'content-type': 'multipart/form-data; boundary=x' } : server.modernHeaders();
    const options = { host: '127.0.0.1', port: server.port, path: '/sync/download', method: 'POST', headers };
    const request = httpRequest({ ...options, agent: false }, (response) => {
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', () => {});
      response.on('close', () => {
        resolve({ status: response.statusCode, bytes: Buffer.concat(pieces), isCutOff: !response.complete });
      });
    });
    request.on('error', reject);
    request.end(isForm ? form : zstdCompressSync('{}'));
  });
  await sleep(50);
  return { ...received, before, isReleased: server.dispatcher.released.length > 0, content };
}

for (const dress of ['modern', 'legacy'] as const) {
  test(`a ${dress} download is sent while it is checked, and ends when it is found whole`, async () => {
    await using server = await HttpHarness.start();
    const got = await download(server, dress, (resolve) => resolve());
    assert.equal(got.isCutOff, false);
    assert.ok((dress === 'modern' ? zstdDecompressSync(got.bytes) : got.bytes).equals(got.content));
    assert.ok(got.before > MiB, `${got.before} bytes came before the check was done`);
    assert.ok(got.before < got.bytes.length, 'but not all of them');
    assert.ok(got.isReleased);
  });

  test(`a ${dress} download that is found damaged is cut off: what arrives is no whole answer`, async () => {
    await using server = await HttpHarness.start();
    const got = await download(server, dress, (_resolve, reject) => reject(new Error('damaged')));
    assert.equal(got.isCutOff, true);
    if (dress === 'modern') assert.throws(() => zstdDecompressSync(got.bytes));
    assert.ok(got.bytes.length < got.content.length);
    assert.ok(got.isReleased, 'the file is handed back all the same');
    assert.match(JSON.stringify(server.lines), /damaged/);
  });
}

test('a file that shrinks is compressed, one that is compressed already is sent as it is', async () => {
  await using server = await HttpHarness.start();
  const text = Buffer.from('all work and no play '.repeat(100_000));
  const got = await download(server, 'modern', (resolve) => resolve(), { content: text });
  assert.ok(got.bytes.length < text.length / 10);
  assert.ok(zstdDecompressSync(got.bytes).equals(text));
  const packed = await download(server, 'modern', (resolve) => resolve());
  assert.ok(packed.bytes.length < packed.content.length + 200);
  assert.ok(zstdDecompressSync(packed.bytes).equals(packed.content));
});

const CONTENTS = {
  'of text': Buffer.from('all work and no play '.repeat(1_000_000)),
  'of noise': randomBytes(3 * MiB),
};

for (const dress of ['modern', 'legacy'] as const) {
  for (const [kind, content] of Object.entries(CONTENTS)) {
    test(`damage that shows before a ${dress} download ${kind} has begun is told, and nothing of it leaves`, async () => {
      await using server = await HttpHarness.start();
      const damaged = (_resolve: () => void, reject: (error: Error) => void) => reject(new Error('damaged'));
      const got = await download(server, dress, damaged, { content, soundnessWaitMs: 10_000 });
      assert.equal(got.status, 500);
      assert.equal(got.isCutOff, false);
      assert.ok(got.bytes.length < 1_000);
      assert.ok(got.isReleased, 'the file is handed back all the same');
    });

    test(`a ${dress} download ${kind} begins when its check has ended well, or has taken too long`, async () => {
      await using server = await HttpHarness.start();
      for (const soundnessWaitMs of [10_000, 20]) {
        const got = await download(server, dress, (resolve) => resolve(), { content, soundnessWaitMs });
        assert.ok((dress === 'modern' ? zstdDecompressSync(got.bytes) : got.bytes).equals(content));
        assert.equal(got.before > 0, soundnessWaitMs === 20);
      }
    });
  }
}
