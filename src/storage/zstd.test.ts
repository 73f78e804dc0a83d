import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { createZstdInflater, inflateZstd } from './zstd.ts';
import { ZstdFrameCutter } from './zstd-frames.ts';

const MiB = 1024 * 1024;

interface Frame {
  readonly bytes: Buffer;
  readonly content: Buffer;
}

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.tuple(fc.nat(255), fc.nat(400_000)).map(([value, length]) => new Uint8Array(length).fill(value)),
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 300_000 })).map(([seed, length]) => noise(seed, length)),
);
const zstdFrame: fc.Arbitrary<Frame> = fc
  .record({ content: contents, checksum: fc.boolean(), length: fc.boolean(), level: fc.integer({ min: 1, max: 6 }) })
  .map(({ content, checksum, length, level }) => ({
    content: Buffer.from(content),
    bytes: zstdCompressSync(content, {
      params: {
        [constants.ZSTD_c_checksumFlag]: Number(checksum),
        [constants.ZSTD_c_contentSizeFlag]: Number(length),
        [constants.ZSTD_c_compressionLevel]: level,
      },
    }),
  }));
const skippable: fc.Arbitrary<Frame> = fc.tuple(fc.nat(15), fc.uint8Array({ maxLength: 50 })).map(([kind, nothing]) => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + kind, 0);
  head.writeUInt32LE(nothing.length, 4);
  return { bytes: Buffer.concat([head, nothing]), content: Buffer.alloc(0) };
});
const streams = fc.array(fc.oneof({ weight: 3, arbitrary: zstdFrame }, skippable), { minLength: 1, maxLength: 6 });

/** Bytes that do not compress. */
function noise(seed: number, length: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 24;
  });
}

function piecesOf(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const length = lengths[n] ?? bytes.length;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

async function inflateStream(pieces: Iterable<Buffer>, cutsFrames: boolean): Promise<Buffer> {
  const inflater = createZstdInflater({ cutsFrames });
  const [content] = await Promise.all([buffer(inflater), pipeline(Readable.from(pieces), inflater)]);
  return content;
}

test('a stream is cut exactly at the ends of its frames, in whatever pieces it arrives', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
  fc.assert(
    fc.property(streams, lengths, (frames, sizes) => {
      const cutter = new ZstdFrameCutter();
      const stream = Buffer.concat(frames.map(({ bytes }) => bytes));
      const ends = new Set<number>();
      let at = 0;
      for (const piece of piecesOf(stream, sizes)) {
        for (const part of cutter.cut(piece)) {
          assert.deepEqual(Buffer.from(part), stream.subarray(at, at + part.length));
          at += part.length;
          ends.add(at);
        }
      }
      assert.equal(at, stream.length);
      let end = 0;
      for (const { bytes } of frames) {
        end += bytes.length;
        assert.ok(ends.has(end), `not cut at ${end}`);
      }
      assert.equal([...new ZstdFrameCutter().cut(stream)].length, frames.length);
    }),
    { numRuns: 60 },
  );
});

test('every frame is inflated, at once and as a stream, whether Node reads all frames by itself or not', async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(streams, lengths, async (frames, sizes) => {
      const stream = Buffer.concat(frames.map(({ bytes }) => bytes));
      const content = Buffer.concat(frames.map((frame) => frame.content));
      assert.ok(content.equals(inflateZstd(stream, { bytesMax: 4 * MiB, cutsFrames: true })));
      assert.ok(content.equals(inflateZstd(stream, { bytesMax: 4 * MiB })));
      assert.ok(content.equals(await inflateStream(piecesOf(stream, sizes), true)));
    }),
    { numRuns: 60 },
  );
});

test('the most that may come out counts over all frames', () => {
  const stream = Buffer.concat([1, 2, 3].map((value) => zstdCompressSync(Buffer.alloc(100, value))));
  for (const cutsFrames of [true, undefined]) {
    const options = cutsFrames === undefined ? {} : { cutsFrames };
    assert.equal(inflateZstd(stream, { ...options, bytesMax: 300 }).length, 300);
    for (const bytesMax of [1, 99, 100, 101, 200, 299]) {
      assert.throws(() => inflateZstd(stream, { ...options, bytesMax }), { code: 'ERR_BUFFER_TOO_LARGE' });
    }
  }
});

test('what is cut off, empty or no zstd is refused', async () => {
  const frame = zstdCompressSync('hello');
  const cases = [
    Buffer.alloc(0),
    frame.subarray(0, -1),
    Buffer.concat([frame, frame.subarray(0, 5)]),
    Buffer.from('no'),
  ];
  for (const bytes of cases) {
    assert.throws(() => inflateZstd(bytes, { bytesMax: MiB, cutsFrames: true }), { code: /^(?:Z_|ZSTD_)/ });
    await assert.rejects(inflateStream(bytes.length === 0 ? [] : [bytes], true), { code: /^(?:Z_|ZSTD_)/ });
  }
});

test('a body of too many frames is refused instead of being worked on for minutes', async () => {
  const stream = Buffer.concat(Array.from({ length: 10_002 }, () => zstdCompressSync('')));
  assert.throws(() => inflateZstd(stream, { bytesMax: MiB, cutsFrames: true }), /More than 10000 frames/);
  await assert.rejects(inflateStream([stream], true), /More than 10000 frames/);
});

test('a reader who is slow gets everything and holds the sender up', async () => {
  const inflater = createZstdInflater({ cutsFrames: true });
  const frame = zstdCompressSync(Buffer.alloc(8 * MiB));
  let read = 0;
  const reading = pipeline(inflater, async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) {
      read += piece.length;
      if (read < MiB) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  inflater.write(frame);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(inflater.readableLength < MiB, `${inflater.readableLength} bytes wait`);
  inflater.end(frame);
  await reading;
  assert.equal(read, 16 * MiB);
});
