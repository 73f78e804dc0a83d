import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { MiB } from '../limits.ts';
import type { Payload } from '../protocol/message.ts';
import { InflatedZip } from './inflated-zip.ts';

interface Received {
  readonly kind: Payload['kind'];
  readonly content: Buffer;
}

/** Sends a body in pieces; the folder of the file does not exist yet. */
async function receive(body: Buffer, bytesMax: number): Promise<Received> {
  const base = mkdtempSync(path.join(tmpdir(), 'zip-'));
  const target = path.join(base, 'incoming', 'zip');
  try {
    await using zip = new InflatedZip(target, bytesMax);
    for (let at = 0; at < body.length; at += 60_000) {
      await Promise.race([zip.take(body.subarray(at, at + 60_000)), zip.failure]);
    }
    const payload = await zip.finish();
    if (payload.kind === 'bytes') {
      assert.ok(!existsSync(target));
      return { kind: 'bytes', content: Buffer.from(payload.bytes) };
    }
    const content = readFileSync(payload.path);
    assert.equal(payload.byteLength, content.length);
    return { kind: 'file', content };
  } finally {
    rmSync(base, { recursive: true });
  }
}

const contents: readonly (readonly [what: string, content: Buffer, kind: Payload['kind']])[] = [
  ['a small one', randomBytes(500_000), 'bytes'],
  ['one of exactly the limit of memory', Buffer.alloc(4 * MiB, 'x'), 'bytes'],
  ['one that becomes too large for memory', Buffer.alloc(4 * MiB + 1, 'x'), 'file'],
  ['one that comes too large for memory', randomBytes(5 * MiB), 'file'],
];

for (const [what, content, kind] of contents) {
  test(`${what} arrives whole, in ${kind === 'bytes' ? 'memory' : 'a file'}`, async () => {
    const received = await receive(zstdCompressSync(content), 10 * MiB);
    assert.equal(received.kind, kind);
    assert.ok(received.content.equals(content));
  });
}

test('no body at all is an empty zip', async () => {
  assert.deepEqual(await receive(Buffer.alloc(0), MiB), { kind: 'bytes', content: Buffer.alloc(0) });
});

test('what does not decompress, and more than the limit, is refused', async () => {
  await assert.rejects(receive(Buffer.from('no zstd'), MiB), { code: 'malformedRequest' });
  const large = zstdCompressSync(randomBytes(5 * MiB));
  large.fill(0, 4.5 * MiB);
  await assert.rejects(receive(large, 10 * MiB), { code: 'malformedRequest' });
  await assert.rejects(receive(zstdCompressSync(randomBytes(MiB + 1)), MiB), { name: 'InflatedTooLargeError' });
  await assert.rejects(receive(zstdCompressSync(Buffer.alloc(9 * MiB)), 8 * MiB), { name: 'InflatedTooLargeError' });
});

test('pieces that were copied give their memory back at once, and the body is whole', async () => {
  const content = randomBytes(200_000);
  const body = zstdCompressSync(content);
  const pieces = [0, 1, 2, 3].map((at) => new Uint8Array(body.subarray(at * 60_000, (at + 1) * 60_000)));
  await using zip = new InflatedZip(path.join(tmpdir(), 'never made'), MiB);
  for (const piece of pieces) zip.take(piece);
  assert.deepEqual(
    pieces.slice(1).map(({ byteLength }) => byteLength),
    [0, 0, 0],
  );
  const payload = await zip.finish();
  assert.ok(payload.kind === 'bytes' && content.equals(payload.bytes));
});
