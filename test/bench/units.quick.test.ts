import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { mediaFiles, readZip, uploadBodies } from '../../bench/data/media-files.ts';
import { readChunks } from '../../bench/load/http-connection.ts';
import { median, quantile, slope } from '../../bench/load/statistics.ts';
import { isReached } from '../../bench/measures.ts';
import { readOptions } from '../../bench/options.ts';
import { compare, tableOf } from '../../bench/report.ts';

test('a chunked body is read whole, and half of one is not taken for a whole one', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
  fc.assert(
    fc.property(pieces, fc.nat({ max: 10 }), (contents, missing) => {
      const chunks = contents.map((piece) => [
        Buffer.from(`${piece.length.toString(16)}\r\n`),
        piece,
        Buffer.from('\r\n'),
      ]);
      const whole = Buffer.concat([...chunks.flat(), Buffer.from('0\r\n\r\n')]);
      assert.deepEqual(readChunks(whole), Buffer.concat(contents));
      if (missing > 2) assert.equal(readChunks(whole.subarray(0, whole.length - missing)), undefined);
    }),
  );
});

test('medians, quantiles and slopes are what they are called', () => {
  assert.equal(median([3, 1, 2, 10]), 2.5);
  assert.equal(quantile([5, 1, 4, 2, 3], 0.99), 5);
  assert.equal(quantile([], 0.5), Number.NaN);
  assert.equal(
    slope([
      [0, 1],
      [1, 3],
      [2, 5],
    ]),
    2,
  );
});

test('a target is reached only when all of it is', () => {
  assert.equal(isReached({ valueMax: 10, ratioMax: 0.1 }, 9, 0.05), true);
  assert.equal(isReached({ valueMax: 10, ratioMax: 0.1 }, 9, 0.2), false);
  assert.equal(isReached({ valueMax: 10, ratioMax: 0.1 }, 11, 0.05), false);
  assert.equal(isReached({ ratioMin: 2 }, 100, 1.9), false);
  assert.equal(isReached({ ratioMin: 2 }, 100, 2), true);
  assert.equal(isReached({ ratioMin: 2 }, 100, undefined), undefined, 'there is nothing to compare with');
  assert.equal(isReached(undefined, 100, 1), undefined);
});

test('the table compares medians of equal measures, and says plainly what falls short', () => {
  const measure = { work: 'W', what: 'time', unit: 'ms' as const, target: { ratioMax: 0.5 } };
  const run = (kind: 'ours' | 'official', value: number) => ({ kind, measures: [{ ...measure, value }] });
  const runs = [run('official', 10), run('ours', 8), run('official', 30), run('ours', 9), run('ours', 1)];
  const [row, ...rest] = compare(runs);
  assert.equal(rest.length, 0);
  assert.deepEqual([row?.official, row?.ours, row?.ratio, row?.isReached], [20, 8, 0.4, true]);
  assert.match(
    tableOf(compare([run('official', 10), run('ours', 9)])),
    /\| W \| time \| 10 ms \| 9 ms \| 0\.9 \| ≤ 0\.5× \| \*\*no\*\* \|/,
  );
});

test('files of an upload are different, and the zip holds them', () => {
  const files = mediaFiles(30, 1000, 1);
  assert.equal(new Set(files.map(({ content }) => content.toString('latin1'))).size, 30);
  const [first, second] = uploadBodies(files).map((body) => readZip(zstdDecompressSync(body)));
  assert.equal(first?.size, 26);
  assert.equal(second?.size, 6);
  assert.deepEqual(first?.get('7'), files[7]?.content);
});

test('what the command line asks for is done, or refused with a reason', () => {
  const { limits, amounts, only, servers } = readOptions([
    '--cpu',
    '1',
    '--memory',
    '256M',
    '--only',
    'meta',
    '--rounds',
    '2',
  ]);
  assert.deepEqual(limits, { cores: 1, memoryBytes: 256 * 1024 * 1024 });
  assert.deepEqual([amounts.rounds, only, servers], [2, ['meta'], ['official', 'ours']]);
  assert.throws(() => readOptions(['--memory', '256']), /number of MiB/);
  assert.throws(() => readOptions(['--quick', '--full']), /exclude each other/);
  assert.throws(() => readOptions(['--server', 'theirs']), /ours or official/);
  assert.throws(() => readOptions(['--cpu', '0']), /whole number/);
});
