import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CollectionFile } from '../collection/collection-file.ts';
import { readFacts } from '../collection/stored-file.ts';
import { COLLECTIONS, contentOf, TestFolder } from '../collection/test-files.ts';
import { UserCollection } from '../collection/user-collection.ts';
import { silentLog } from '../log.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { listBackups, packedFile, pendingFile } from './backup-folder.ts';
import { checkBackup } from './check.ts';
import { readPackageFacts } from './colpkg.ts';
import { copyCollection, packCopy, packPending, unpackBackup } from './pack.ts';
import { prepareRestore } from './restore.ts';

const id = '2026-11-23T143055.123Z.manual';

function account(temp: TestFolder, fixture: string, name = 'collection.anki2'): UserFolder {
  const folder = userFolder(temp.path, 'ann');
  mkdirSync(folder.incoming, { recursive: true });
  mkdirSync(path.join(folder.root, 'backups'), { recursive: true });
  copyFileSync(path.join(COLLECTIONS, fixture), path.join(folder.root, name));
  chmodSync(path.join(folder.root, name), 0o600);
  return folder;
}

/** Packs a copy of the stored collection. */
async function pack(folder: UserFolder) {
  const copy = path.join(folder.incoming, 'copy.anki2');
  copyCollection(folder.collection, copy);
  return packCopy(folder, copy, id);
}

test('what is packed comes back with every row, and the facts are those of the collection', async () => {
  for (const fixture of ['fresh-server.anki2', 'rich.anki2', 'non-ascii-names.anki2']) {
    using temp = new TestFolder();
    const folder = account(temp, fixture);
    assert.equal((await pack(folder)).kind, 'packed');
    const unpacked = await unpackBackup(folder, packedFile(folder, id));
    assert.deepEqual(await contentOf(unpacked), await contentOf(folder.collection), fixture);
    const { version: _, ...facts } = { version: 0, ...(await readPackageFacts(packedFile(folder, id))) };
    assert.deepEqual(facts, readFacts(folder.collection));
    assert.deepEqual(readdirSync(folder.incoming), [path.basename(unpacked)], 'no draft is left behind');
  }
});

test('a replaced collection of schema 11 is packed too, and in the current schema', async () => {
  using temp = new TestFolder();
  const folder = account(temp, 'schema11/rich.anki2', `backups/${id}.pending.anki2`);
  assert.equal((await packPending(folder, id)).kind, 'packed');
  assert.deepEqual(
    listBackups(folder).map(({ form }) => form),
    ['packed'],
  );
  const restorable = await prepareRestore(folder, packedFile(folder, id));
  assert.ok(restorable.kind === 'ready');
  assert.ok(CollectionFile.open(restorable.path, silentLog) instanceof CollectionFile);
});

test('a collection is packed as committed while a sync has changed it, and the sync goes on', async () => {
  using temp = new TestFolder();
  const folder = account(temp, 'rich.anki2');
  const before = await contentOf(folder.collection);
  using collection = new UserCollection(folder, silentLog);
  const work = collection.begin({ sessionKey: 'k', clientUsn: 0, clientIsNewer: false, clientVersion: '' }, Date.now());
  work.sql.run('UPDATE cards SET reps = reps + 1000');
  collection.standStill();
  assert.equal((await pack(folder)).kind, 'packed');
  collection.downloadEnded();
  assert.deepEqual(await contentOf(await unpackBackup(folder, packedFile(folder, id))), before);
  collection.finish(work, Date.now());
  collection.standStill();
  copyCollection(folder.collection, path.join(folder.incoming, 'second.anki2'));
  collection.downloadEnded();
  const second = id.replace('123Z', '124Z');
  await packCopy(folder, path.join(folder.incoming, 'second.anki2'), second);
  const after = await contentOf(await unpackBackup(folder, packedFile(folder, second)));
  collection.close();
  assert.deepEqual(after, await contentOf(folder.collection));
  assert.notDeepEqual(after['cards'], before['cards']);
});

test('a damaged collection is not packed but named, and a replaced one keeps its file', async () => {
  using temp = new TestFolder();
  const folder = account(temp, 'rich.anki2', `backups/${id}.pending.anki2`);
  const bytes = readFileSync(pendingFile(folder, id)).fill(0x55, 8192, 60_000);
  writeFileSync(pendingFile(folder, id), bytes);
  const packing = await packPending(folder, id);
  assert.ok(packing.kind === 'damaged');
  assert.match(packing.damage, /\S/);
  assert.deepEqual(readFileSync(packing.kept ?? ''), bytes);
  assert.deepEqual(
    listBackups(folder).map(({ form }) => form),
    ['damaged'],
  );
});

test('one changed bit in a package never leads to another collection: it is damage, or it changes nothing', async () => {
  using temp = new TestFolder();
  const folder = account(temp, 'rich.anki2');
  await pack(folder);
  const file = packedFile(folder, id);
  const bytes = readFileSync(file);
  const content = await contentOf(folder.collection);
  const flip = async (bit: number): Promise<void> => {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    writeFileSync(file, changed);
    const checked = await checkBackup(folder, file);
    if (checked.kind === 'damaged') return;
    const restorable = await prepareRestore(folder, file);
    assert.ok(restorable.kind === 'ready');
    assert.deepEqual(await contentOf(restorable.path), content);
  };
  await fc.assert(fc.asyncProperty(fc.nat(bytes.length * 8 - 1), flip), { numRuns: 40 });
  for (const length of [0, 10, bytes.length >> 1, bytes.length - 1]) {
    writeFileSync(file, bytes.subarray(0, length));
    assert.equal((await checkBackup(folder, file)).kind, 'damaged');
  }
});
