import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { sha1Of, TemporaryUser } from '../../test/support/media.ts';
import { readZipEntries } from '../../test/support/media-messages.ts';
import { type BadSources, type ZipSource, zipToBytes, zipToFile } from './zip-out.ts';

/** The zip in memory and the same in a file. */
async function bothZips(user: TemporaryUser, sources: readonly ZipSource[]): Promise<(Buffer | BadSources)[]> {
  const target = user.beside('out.zip');
  const inMemory = await zipToBytes(sources);
  const inFile = await zipToFile(sources, target);
  if (inFile.kind === 'zip') assert.equal(readFileSync(target).length, inFile.byteLength);
  else assert.ok(!existsSync(target), 'there is no half zip');
  return [inMemory.kind === 'zip' ? inMemory.bytes : inMemory, inFile.kind === 'zip' ? readFileSync(target) : inFile];
}

test('memory and file make the same zip', async () => {
  using user = new TemporaryUser();
  const contents = ['first', 'x'.repeat(1_700_000), 'é'];
  const sources = contents.map((content, index) => sourceOf(user, `name ${index} ü`, content));
  const [inMemory, inFile] = await bothZips(user, sources);
  assert.ok(Buffer.isBuffer(inMemory) && Buffer.isBuffer(inFile) && inMemory.equals(inFile));
  assert.deepEqual(
    (await readZipEntries(inMemory)).map(({ name, content, method }) => [name, content.toString(), method]),
    [
      ...contents.map((content, index) => [String(index), content, 0]),
      ['_meta', '{"0":"name 0 ü","1":"name 1 ü","2":"name 2 ü"}', 0],
    ],
  );
});

test('a file that is gone, shorter, longer or another one is named, and there is no zip', async () => {
  using user = new TemporaryUser();
  const good = sourceOf(user, 'a', 'content');
  const odd: ZipSource[] = [
    { ...good, path: user.beside('nowhere') },
    { ...good, path: user.beside('x'.repeat(300)) },
    { ...good, path: user.folder.root },
    { ...good, path: undefined },
    { ...good, size: 6 },
    { ...good, size: 8 },
    { ...good, sha1: sha1Of('Content') },
  ];
  for (const bad of odd) {
    for (const outcome of await bothZips(user, [good, bad, good])) {
      assert.deepEqual(outcome, { kind: 'bad', sources: [bad] });
    }
  }
});

function sourceOf(user: TemporaryUser, name: string, content: string): ZipSource {
  const path = user.beside(name);
  writeFileSync(path, content);
  return { name, path, size: Buffer.byteLength(content), sha1: sha1Of(content) };
}
