import assert from 'node:assert/strict';
import { mkdtempDisposable, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { InflatedFile } from './inflated-file.ts';

test('bytes that do not decompress are refused and end nothing else, however soon that shows', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'inflated-'));
  // Whether the decompressor or the disk is sooner is chance.
  for (let round = 0; round < 25; round++) {
    const refusals = Array.from({ length: 8 }, async (_, at) => {
      const target = path.join(folder.path, `${round}-${at}`);
      const coding = at % 2 === 0 ? 'gzip' : 'zstd';
      await using file = new InflatedFile(target, { coding, bytesMax: 100, isToStay: true });
      file.take(Buffer.from('these are plain words'));
      await assert.rejects(file.finish(), { code: 'malformedRequest' });
    });
    await Promise.all(refusals);
  }
  assert.deepEqual(await readdir(folder.path), []);
});
