import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createZstdDecompress, zstdCompressSync } from 'node:zlib';
import { giveBack, giveBackAll } from './own-memory.ts';

test('a piece with memory of its own is gone when it is given back', () => {
  const piece = Buffer.allocUnsafeSlow(1000);
  giveBack(piece);
  assert.equal(piece.byteLength, 0);
  giveBack(piece); // Twice does no harm.
});

test('of several pieces in one buffer the last one takes the memory along', () => {
  const buffer = Buffer.allocUnsafeSlow(Buffer.poolSize * 2);
  const [first, last] = [buffer.subarray(0, 10), buffer.subarray(10)];
  giveBack(first);
  assert.equal(first.byteLength, 10);
  giveBack(last);
  assert.equal(first.byteLength, 0);
});

test('a piece that is alone takes all of its buffer along', () => {
  const buffer = Buffer.allocUnsafeSlow(1000);
  giveBackAll(buffer.subarray(10, 20));
  assert.equal(buffer.byteLength, 0);
});

test('what Node shares among small buffers stays', () => {
  const { buffer } = Buffer.allocUnsafe(1);
  const { byteLength } = buffer;
  giveBack(new Uint8Array(buffer, byteLength - 8));
  giveBackAll(new Uint8Array(buffer, 0, 8));
  assert.equal(buffer.byteLength, byteLength);
  assert.notEqual(byteLength, 0);
});

test('a decompressor whose pieces are given back one by one goes on to the end', async () => {
  const content = Buffer.alloc(3_000_000, 'all of it, ');
  const decompressor = createZstdDecompress({ chunkSize: 256 * 1024 });
  decompressor.end(zstdCompressSync(content));
  let at = 0;
  for await (const piece of decompressor as AsyncIterable<Buffer>) {
    assert.ok(piece.equals(content.subarray(at, at + piece.length)));
    at += piece.length;
    giveBack(piece);
  }
  assert.equal(at, content.length);
});
