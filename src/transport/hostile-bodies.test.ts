import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createGzip, createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib';
import { formBody, HttpHarness } from '../../test/helpers/http-harness.ts';
import { KiB, MiB } from '../limits.ts';

const form = { 'content-type': 'multipart/form-data; boundary=b' };

/** Zeros in pieces, compressed to next to nothing. */
async function bomb(compressor: NodeJS.ReadWriteStream, megs: number): Promise<Buffer> {
  const zeros = Buffer.alloc(MiB);
  const pieces: Buffer[] = [];
  Readable.from(Array.from({ length: megs }, () => zeros)).pipe(compressor);
  for await (const piece of compressor) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** What `body` adds to the memory of this process at its worst, bytes. Client and server share it. */
async function memoryGrowth(body: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  await body().finally(() => clearInterval(watch));
  return Math.max(peak, process.memoryUsage.rss()) - before;
}

/** What is in use in this process, garbage apart, bytes. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function cpuMsOf(body: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test('decompression bombs are refused as soon as they pass the limit, in flat memory', async () => {
  await using server = await HttpHarness.start();
  const zstdBomb = await bomb(createZstdCompress(), 400);
  const gzipBomb = await bomb(createGzip(), 400);
  const growth = await memoryGrowth(async () => {
    const headers = server.modernHeaders();
    assert.equal((await server.send('/msync/uploadChanges', { headers, body: zstdBomb })).status, 400);
    assert.equal(
      (await server.send('/sync/upload', { headers, body: zstdBomb })).text,
      'collection exceeds size limit',
    );
    assert.equal((await server.send('/sync/hostKey', { headers, body: zstdBomb })).status, 400);
    for (const target of ['/msync/uploadChanges', '/sync/upload']) {
      const body = formBody(
        [
          ['data', gzipBomb],
          ['c', '1'],
          ['k', server.annKey],
        ],
        'b',
      );
      const reply = await server.send(target, { headers: form, body });
      assert.equal(reply.status, target === '/sync/upload' ? 200 : 400);
    }
    assert.equal(
      (
        await server.send('/sync/hostKey', {
          headers: form,
          body: formBody(
            [
              ['c', '1'],
              ['data', gzipBomb.subarray(0, 60 * KiB)],
            ],
            'b',
          ),
        })
      ).status,
      400,
    );
  });
  assert.ok(growth < 100 * MiB, `grew by ${Math.round(growth / MiB)} MiB`);
  assert.equal(server.dispatcher.received.length, 0);
  assert.deepEqual(await readdir(path.join(server.base, 'ann', 'incoming')), []);
});

test('a large upload passes through in flat memory', async () => {
  await using server = await HttpHarness.start();
  const piece = randomBytes(MiB);
  const pieces = Readable.from(
    (function* () {
      for (let sent = 0; sent < 200; sent++) yield piece;
    })(),
  );
  const growth = await memoryGrowth(async () => {
    const body = pieces.pipe(createZstdCompress());
    assert.equal((await server.send('/sync/upload', { headers: server.modernHeaders(), body })).status, 200);
  });
  const payload = server.dispatcher.received[0]?.message.payload;
  assert.equal(payload?.kind === 'file' && payload.byteLength, 200 * MiB);
  assert.ok(growth < 80 * MiB, `grew by ${Math.round(growth / MiB)} MiB`);
});

test('a frame that asks for a huge window is refused', async () => {
  await using server = await HttpHarness.start();
  // Magic, no content size, window descriptor for 2^31 bytes, one empty raw block.
  const body = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 0x01, 0x00, 0x00]);
  assert.equal((await server.send('/sync/upload', { headers: server.modernHeaders(), body })).status, 400);
});

test('a body in a million tiny pieces takes no more memory than its bytes', async () => {
  await using server = await HttpHarness.start();
  const content = Buffer.concat([Buffer.from('{"x":"'), Buffer.alloc(300 * KiB, 'y'), Buffer.from('"}')]);
  const chunked = Buffer.from(content.toString('latin1').replaceAll(/./gs, '1\r\n$&\r\n'), 'latin1');
  const prefix =
    '--b\r\nContent-Disposition: form-data; name="k"\r\n\r\n' +
    `${server.annKey}\r\n--b\r\nContent-Disposition: form-data; name="data"\r\n\r\n`;
  const socket = await server.connect();
  const written = (bytes: string | Buffer) => new Promise((resolve) => socket.write(bytes, resolve));
  await written(
    `POST /sync/meta HTTP/1.1\r\nhost: x\r\ncontent-type: ${form['content-type']}\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  await written(`${prefix.length.toString(16)}\r\n${prefix}\r\n`);
  const before = heldBytes();
  await written(chunked);
  await sleep(200); // The system has taken it all, and the server reads it from there.
  const held = heldBytes() - before;
  await written('9\r\n\r\n--b--\r\n\r\n0\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  assert.ok(server.dispatcher.received[0]?.content.equals(content));
  assert.ok(held < 5 * MiB, `${Math.round(held / MiB)} MiB are held`);
});

const part = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n';
const floods = {
  boundaries: Buffer.from('--b\r\n'.repeat(1_000_000)),
  'boundaries with line ends': Buffer.from('\r\n--b\r\n\r\n'.repeat(500_000)),
  'closing boundaries that are none': Buffer.from('\r\n--b-'.repeat(700_000)),
  'fields beyond the limit': Buffer.from(part.repeat(100_000)),
  'payloads beyond the limit': Buffer.from(
    '--b\r\nContent-Disposition: form-data; name="data"\r\n\r\n1\r\n'.repeat(80_000),
  ),
  'a header without end': Buffer.from(`--b\r\nContent-Disposition: form-data; name="${'x'.repeat(2 * MiB)}`),
  'header lines without end': Buffer.from(`--b\r\n${'X: y\r\n'.repeat(800_000)}`),
  'parameters without end': Buffer.from(
    `--b\r\nContent-Disposition: form-data${';a="\\"'.repeat(700_000)}\r\n\r\n1\r\n--b--\r\n`,
  ),
  'a field that is too long': Buffer.from(
    `--b\r\nContent-Disposition: form-data; name="k"\r\n\r\n${'x'.repeat(2 * MiB)}\r\n--b--\r\n`,
  ),
  'nothing but dashes': Buffer.alloc(2 * MiB, '-'),
  'nothing but line ends': Buffer.alloc(2 * MiB, '\r\n'),
};

for (const [what, body] of Object.entries(floods)) {
  test(`a form of ${what} is refused at little cost`, async () => {
    await using server = await HttpHarness.start();
    await server.send('/sync/meta', { headers: form, body: formBody([['k', 'x']], 'b') }); // Loads and compiles what it takes.
    let status = 0;
    let cpuMs = 0;
    const growth = await memoryGrowth(async () => {
      cpuMs = await cpuMsOf(async () => {
        status = (await server.send('/sync/meta', { headers: form, body })).status;
      });
    });
    assert.ok(status === 400 || status === 403, `answered ${status}`);
    assert.ok(cpuMs < 100, `took ${Math.round(cpuMs)} ms of CPU, the client's part included`);
    assert.ok(growth < 40 * MiB, `grew by ${Math.round(growth / MiB)} MiB`);
    assert.equal(server.dispatcher.received.length, 0);
    assert.deepEqual(await readdir(server.spoolFolder), []);
  });
}

test('a stranger makes the server keep nothing', async () => {
  await using server = await HttpHarness.start();
  const growth = await memoryGrowth(async () => {
    const headers = server.modernHeaders({ k: 'nobody' });
    const body = zstdCompressSync(randomBytes(30 * MiB));
    assert.equal((await server.send('/sync/upload', { headers, body })).status, 403);
    const fields = formBody(
      [
        ['k', 'nobody'],
        ['c', '1'],
        ['data', gzipSync(randomBytes(10 * MiB))],
      ],
      'b',
    );
    assert.equal((await server.send('/sync/upload', { headers: form, body: fields })).status, 403);
  });
  assert.ok(growth < 150 * MiB, `grew by ${Math.round(growth / MiB)} MiB, 80 of which the test itself makes`);
  assert.deepEqual(await readdir(server.spoolFolder), []);
  assert.deepEqual(
    (await readdir(server.base)).filter((name) => name !== 'spool'),
    [],
  );
});
