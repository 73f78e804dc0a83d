import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, suite, test } from 'node:test';
import { type ClientVersion, newestClient } from '../support/clients.ts';
import { assertNoFindings, assertSameState } from '../support/compare.ts';
import { Device, nextSecond } from '../support/device.ts';
import { preparePythonEnvs } from '../support/python-envs.ts';
import { startServer } from '../support/server.ts';
import { downloadAll, syncAll, uploadAll } from '../support/steps.ts';

const [user, password] = ['ann', 'secret'];

/** A server that is being left, and the library that it stores collections with. */
const MOVES = [
  { from: 'ankisyncd', library: '2.1.15', schema: 11 },
  { from: 'anki-sync-server-rs', library: '2.1.54', schema: 18 },
] as const satisfies readonly { from: string; library: ClientVersion; schema: number }[];

suite('moving here from another sync server', { concurrency: true }, () => {
  before(() => preparePythonEnvs([newestClient, ...MOVES.map(({ library }) => library)]));

  for (const move of MOVES) {
    test(`the files of ${move.from}, copied as docs/operate.md says, need no full sync`, async () => {
      await using world = await oldWorld(move.library);
      const { old, phone, laptop } = world;
      assert.equal(schemaOf(path.join(old, 'collection.anki2')), move.schema);

      const base = path.join(world.root, 'new');
      mkdirSync(path.join(base, user), { recursive: true });
      cpSync(path.join(old, 'collection.anki2'), path.join(base, user, 'collection.anki2'));
      cpSync(path.join(old, 'collection.media'), path.join(base, user, 'media'), { recursive: true });
      await using server = await startServer({
        users: ['somebody else'],
        passwords: 'plain',
        base,
        env: { SYNC_USER2: `${user}:${password}` },
      });
      for (const device of [phone, laptop]) {
        await device.connect(server.url);
        await device.login(user, password);
        assert.match(await device.outcome(), /^(?:no changes|normal)$/, `${device.name} needs no full sync`);
        await device.syncMedia();
      }
      await everythingGoesOn([phone, laptop], server.url);
    });
  }

  test('a device that uploads to an empty server brings its cards and, at the second try, all its media', async () => {
    await using world = await oldWorld(newestClient);
    const base = path.join(world.root, 'new');
    await using server = await startServer({
      users: ['somebody else'],
      passwords: 'plain',
      base,
      env: { SYNC_USER2: `${user}:${password}` },
    });
    const { phone, laptop } = world;
    await phone.connect(server.url);
    await phone.login(user, password);
    assert.match(await phone.outcome(), /^(?:upload only|full)$/);
    await phone.upload();
    await assert.rejects(phone.syncMedia(), /Please sync again/);
    await phone.syncMedia();
    assert.deepEqual(Object.keys(await phone.mediaFiles()), ['file 1.jpg', 'ä ö.png']);
    await laptop.connect(server.url);
    await laptop.login(user, password);
    assert.equal(await laptop.outcome(), 'full');
    await laptop.download();
    await laptop.syncMedia();
    await everythingGoesOn([phone, laptop], server.url);
  });
});

/** Two devices in sync, and the folder of a server of that kind that they have synced with until now. */
async function oldWorld(library: ClientVersion) {
  const root = mkdtempSync(path.join(tmpdir(), 'moves-'));
  const server = await startServer({
    users: ['somebody else'],
    passwords: 'plain',
    env: { SYNC_USER2: `${user}:${password}` },
  });
  const create = (name: string) => Device.create({ version: library, url: server.url, hostKey: '', name });
  const [phone, laptop, stored] = [await create('phone'), await create('laptop'), await create('stored')];
  await phone.login(user, password);
  await phone.addNotes([
    { fields: ['front ß <img src="file 1.jpg">', 'back'], deck: 'Straße', tags: ['Übung::eins'] },
    { fields: ['another', 'note'] },
  ]);
  await phone.writeMedia('file 1.jpg', 'one');
  await phone.writeMedia('ä ö.png', { seed: 1, size: 10_000 });
  await uploadAll(phone);
  for (const device of [laptop, stored]) {
    await device.login(user, password);
    await downloadAll(device);
  }
  await syncAll([phone, laptop, stored]);
  // What these servers store is a collection of the same library, in the state that their devices have.
  await stored.restart(); // Everything is in its file now.
  await stored.kill();
  await server[Symbol.asyncDispose]();
  return {
    root,
    old: path.dirname(stored.collectionPath),
    phone,
    laptop,
    async [Symbol.asyncDispose]() {
      for (const device of [phone, laptop, stored]) await device[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Changes and media pass in both directions, and a new device gets everything. */
async function everythingGoesOn(devices: readonly [Device, Device], url: string): Promise<void> {
  for (const device of devices) {
    await nextSecond();
    await device.addNote({ fields: [`added on ${device.name}`, 'after the move'] });
    await device.writeMedia(`${device.name}.txt`, device.name);
    assert.equal(await device.outcome(), 'normal');
    await device.syncMedia();
  }
  await syncAll(devices);
  for (const device of devices) await device.syncMedia();
  const [first] = devices;
  await using fresh = await Device.create({ version: first.version, url, hostKey: '', name: 'fresh' });
  await fresh.login(user, password);
  await downloadAll(fresh);
  await assertSameState([...devices, fresh]);
  const names = Object.keys(await fresh.mediaFiles()).toSorted();
  assert.deepEqual(names, ['file 1.jpg', 'laptop.txt', 'phone.txt', 'ä ö.png'].toSorted());
  await assertNoFindings(fresh);
}

function schemaOf(file: string): number {
  assert.ok(existsSync(file));
  using db = new DatabaseSync(file, { readOnly: true });
  return Number(db.prepare('SELECT ver FROM col').get()?.['ver']);
}
