import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { TemporaryUser } from '../../test/support/media.ts';
import { readZipEntries } from '../../test/support/media-messages.ts';
import { type ZipSource, zipToBytes, zipToFile } from './zip-out.ts';

const KINDS = ['bytes', 'file'] as const;

test('memory and file make zips with the same content, and equal requests equal bytes', async () => {
  using user = new TemporaryUser();
  const contents = ['first', 'x'.repeat(700_000), 'é'];
  const seen: unknown[] = [];
  for (const kind of KINDS) {
    const sources = contents.map((content, index) => sourceOf(user, kind, `name ${index} ü`, content));
    const target = user.beside(`${kind}.zip`);
    const byteLength = await zipToFile(sources, target);
    const zip = readFileSync(target);
    assert.equal(zip.length, byteLength);
    const inMemory = await zipToBytes(sources);
    assert.ok(inMemory.equals(await zipToBytes(sources)));
    for (const each of [zip, inMemory]) {
      seen.push((await readZipEntries(each)).map(({ name, content, method }) => [name, content.toString(), method]));
    }
  }
  const meta = ['_meta', '{"0":"name 0 ü","1":"name 1 ü","2":"name 2 ü"}', 0];
  const expected = [...contents.map((content, index) => [String(index), content, 0]), meta];
  assert.deepEqual(seen, [expected, expected, expected, expected]);
});

test('a file that vanishes, shrinks or grows while it is read is an error, and no zip is left', async () => {
  using user = new TemporaryUser();
  const source = sourceOf(user, 'file', 'a', 'content') as ZipSource & { kind: 'file' };
  const odd = [
    { ...source, path: user.beside('nowhere') },
    { ...source, byteLength: 6 },
    { ...source, byteLength: 8 },
  ];
  for (const bad of odd) {
    const sources = [source, bad, source];
    await assert.rejects(zipToFile(sources, user.beside('out.zip')));
    await assert.rejects(zipToBytes(sources));
    assert.ok(!existsSync(user.beside('out.zip')));
  }
});

function sourceOf(user: TemporaryUser, kind: (typeof KINDS)[number], name: string, content: string): ZipSource {
  const bytes = Buffer.from(content);
  if (kind === 'bytes') return { kind, name, bytes };
  const path = user.beside(name);
  writeFileSync(path, bytes);
  return { kind, name, path, byteLength: bytes.length };
}
