import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { contentOfPlainFrame, plainFrame } from './zstd-plain.ts';

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 600 }),
  fc.integer({ min: 200, max: 65_535 }).map((length) => new Uint8Array(length).fill(length)),
);

test('every zstd library reads a frame that is written here', () => {
  fc.assert(
    fc.property(bytes, (content) => {
      const frame = plainFrame(content);
      assert.deepEqual(new Uint8Array(zstdDecompressSync(frame)), content);
      const read = contentOfPlainFrame(frame);
      assert.ok(read !== undefined);
      assert.deepEqual(new Uint8Array(read), content);
    }),
  );
});

test('content beyond two bytes of size is refused', () => {
  assert.throws(() => plainFrame(new Uint8Array(65_536)), RangeError);
});

test('short messages of clients are read without the library', () => {
  for (const text of ['{"_pad":null}', '{"v":11,"cv":"anki,26.09.3 (5f8bb9c1),linux"}', '{"chunk":{"done":true}}']) {
    assert.equal(Buffer.from(contentOfPlainFrame(zstdCompressSync(text)) ?? '').toString(), text);
  }
});

test('whatever is read here is what the library would read, and all else is left to it', () => {
  const frames = fc.oneof(
    fc.string({ maxLength: 40 }).map((text) => zstdCompressSync(text)),
    bytes.map((content) => plainFrame(content)),
  );
  const change = fc.record({ at: fc.nat({ max: 20 }), to: fc.nat({ max: 255 }), cut: fc.integer({ min: -3, max: 3 }) });
  fc.assert(
    fc.property(frames, change, (frame, { at, to, cut }) => {
      const changed = Buffer.concat([frame, Buffer.alloc(3)]).subarray(0, frame.length + cut);
      if (at < changed.length) changed[at] = to;
      const read = contentOfPlainFrame(changed);
      if (read !== undefined) assert.deepEqual(Buffer.from(read), zstdDecompressSync(changed));
    }),
    { numRuns: 2000 },
  );
});
