import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ClientVersion, newestClient } from '../support/clients.ts';
import { assertSameState, compareStates } from '../support/compare.ts';
import type { Device, NewNote } from '../support/device.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { type Server, startServer } from '../support/server.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';
import { command } from './commands.ts';
import { importPackage } from './import-package.ts';
import { backupNames, packedBackup } from './wait.ts';

const thirtyNotes: readonly NewNote[] = Array.from({ length: 30 }, (_, n) => ({ fields: [`front ${n}`, 'back'] }));

/** A device with thirty notes, uploaded to an account of its own. */
async function fullAccount(server: Server): Promise<{ readonly user: string; readonly laptop: Device }> {
  const user = server.unusedUser();
  const laptop = await server.device({ version: newestClient, user, name: 'laptop' });
  await laptop.addNotes(thirtyNotes);
  await uploadAll(laptop);
  return { user, laptop };
}

/** One client of each generation, the newest apart. */
const olderClients: readonly ClientVersion[] = ['2.1.54', '2.1.66', '23.10.1'];
const allGenerations: readonly ClientVersion[] = [...olderClients, newestClient];

/** A device that has only one note, and sends that in the place of everything. */
async function uploadOneNote(server: Server, user: string): Promise<Device> {
  const phone = await server.device({ version: newestClient, user, name: 'phone' });
  try {
    await phone.addNote({ fields: ['the only one', ''] });
    await uploadAll(phone);
    return phone;
  } catch (error) {
    await phone[Symbol.asyncDispose]();
    throw error;
  }
}

describe('What can be undone', { concurrency: 3 }, () => {
  let server: Server;
  before(async () => {
    await preparePythonEnv(newestClient);
    server = await startServer({ users: 12 });
  });
  after(() => server[Symbol.asyncDispose]());

  test('a full upload in the wrong direction is undone by one command, and every device downloads', async () => {
    const { user, laptop } = await fullAccount(server);
    await using _laptop = laptop;
    const before = await laptop.state();
    await using phone = await uploadOneNote(server, user);
    assert.match(server.log, new RegExp(`notes="30 -> 1".*undo="anki-sync-server restore ${user} .*replaced"`));
    const replaced = await packedBackup(server, user, 'replaced');

    const restored = await command(server, 'restore', user, replaced);
    assert.equal(restored.stderr, '');
    assert.match(restored.stdout, /30 notes, 30 cards.*before-restore/s);
    assert.equal(restored.code, 0);
    assert.equal(await phone.outcome(), 'full');
    await phone.download();
    const differences = compareStates(before, await phone.state(), { except: [/^col\/scm$/], sameRelease: true });
    assert.deepEqual(differences, []);
    // The device whose collection was restored is asked too: it cannot know that it holds the same.
    assert.equal(await laptop.outcome(), 'full');
    await laptop.download();
    await assertSameState([laptop, phone]);
    // From here on syncs are ordinary ones again.
    await phone.addNote({ fields: ['after the restore', ''] });
    assert.equal(await phone.outcome(), 'normal');
    assert.equal(await laptop.outcome(), 'normal');
    await assertSameState([laptop, phone]);
  });

  test('a restore can be undone by a restore', async () => {
    const { user, laptop } = await fullAccount(server);
    await using _laptop = laptop;
    await using phone = await uploadOneNote(server, user);
    await command(server, 'restore', user, await packedBackup(server, user, 'replaced'));
    const undone = await command(server, 'restore', user, await packedBackup(server, user, 'before-restore'));
    assert.match(undone.stdout, /1 notes, 1 cards/);
    await downloadAll(laptop);
    assert.equal((await laptop.findNotes('')).length, 1);
    assert.equal((await phone.findNotes('')).length, 1);
  });

  test('notes deleted on a device come back from the daily backup', async () => {
    const { user, laptop } = await fullAccount(server);
    await using _laptop = laptop;
    const daily = await packedBackup(server, user, 'daily');
    await laptop.removeNotes(await laptop.findNotes(''));
    assert.equal(await laptop.outcome(), 'normal');
    const listed = await command(server, 'backups', user);
    assert.match(listed.stdout, new RegExp(`${daily} .*30 \\(\\+30\\)`));
    assert.equal((await command(server, 'restore', user, 'latest')).code, 0);
    await downloadAll(laptop);
    assert.equal((await laptop.findNotes('')).length, 30);
  });

  test('media deleted or replaced by a device come back with restore --media, and by name', async () => {
    const { user, laptop } = await fullAccount(server);
    await using _laptop = laptop;
    await laptop.writeMedia('kept.txt', 'kept');
    await laptop.writeMedia('deleted.txt', 'deleted');
    await laptop.writeMedia('replaced.txt', 'the first version');
    await laptop.syncMedia();
    const before = await laptop.mediaFiles();
    const { stdout } = await command(server, 'backup', user);
    const [, id = ''] = /Made (\S+),/.exec(stdout) ?? [];
    await laptop.removeMedia('deleted.txt');
    await laptop.writeMedia('replaced.txt', 'the second version');
    await laptop.syncMedia();
    assert.match((await command(server, 'trash', user)).stdout, /deleted .*deleted\.txt\n.*replaced .*replaced\.txt/);

    await command(server, 'trash', user, '--restore', 'deleted.txt');
    await laptop.syncMedia();
    assert.deepEqual(Object.keys(await laptop.mediaFiles()), Object.keys(before));
    const restored = await command(server, 'restore', user, id, '--media');
    assert.match(restored.stdout, /Media files brought back: .*replaced\.txt/);
    await laptop.syncMedia();
    assert.deepEqual(await laptop.mediaFiles(), before);
    assert.match((await command(server, 'verify', user)).stdout, /media: 3 files, all as the index says/);
  });

  test('a collection that cannot be kept is not replaced: the upload is refused and the log says why', async () => {
    const { user, laptop } = await fullAccount(server);
    await using _laptop = laptop;
    await packedBackup(server, user, 'daily');
    const backups = path.join(server.base, user, 'backups');
    rmSync(backups, { recursive: true });
    writeFileSync(backups, 'a file in the place of the folder');
    // Each in the words of its release, but with the server's own; a status would only say to try again.
    await assert.rejects(uploadOneNote(server, user), /could not make a backup/);
    for (const version of olderClients) {
      await using old = await server.device({ version, user, name: `desktop ${version}` });
      await old.addNote({ fields: ['of an older client', ''] });
      await assert.rejects(uploadAll(old), /could not make a backup/, version);
    }
    assert.match(server.log, /the backup of the old collection could not be written to .*backups/);
    rmSync(backups);
    await laptop.addNote({ fields: ['one more', ''] });
    assert.equal(await laptop.outcome(), 'normal');
    assert.equal((await laptop.findNotes('')).length, 31);
  });

  test('a media file that the server has lost comes back from a device that has it, whatever its release', async () => {
    for (const version of allGenerations) {
      const user = server.unusedUser();
      await using device = await server.device({ version, user, name: `desktop ${version}` });
      await device.addNote({ fields: ['a note', ''] });
      await device.writeMedia('a.txt', 'a');
      await device.writeMedia('b.txt', 'b');
      await uploadAll(device);
      await device.syncMedia();
      const media = path.join(server.base, user, 'media');
      assert.deepEqual(readdirSync(media).sort(), ['a.txt', 'b.txt']);
      rmSync(path.join(media, 'a.txt'));
      assert.equal((await command(server, 'verify', user, '--repair')).code, 0);
      await assert.rejects(device.syncMedia(), `Anki ${version} says that it should sync again`);
      await device.syncMedia();
      assert.deepEqual(readdirSync(media).sort(), ['a.txt', 'b.txt'], version);
    }
  });

  const importers: readonly ClientVersion[] = ['26.9.3', '23.10.1', '2.1.54'];
  test('a backup is a package that Anki itself imports, with everything in it', async (context) => {
    const { user, laptop } = await fullAccount(server);
    await using _laptop = laptop;
    const id = await packedBackup(server, user, 'daily');
    const file = path.join(server.base, user, 'backups', `${id}.colpkg`);
    for (const version of importers) {
      const imported = await importPackage(version, file);
      if (imported === undefined) context.diagnostic(`Anki ${version} is not installed`);
      else assert.deepEqual(imported, { notes: 30, cards: 30, fronts: thirtyNotes.map(({ fields }) => fields[0]) });
    }
  });

  test('a user or a backup that does not exist is named, and nothing happens', async () => {
    const { user, laptop } = await fullAccount(server);
    await using _laptop = laptop;
    const names = backupNames(server, user);
    const nobody = await command(server, 'restore', 'nobody', 'latest');
    assert.deepEqual([nobody.code, nobody.stdout], [1, '']);
    assert.match(nobody.stderr, /There is no user "nobody"/);
    const nothing = await command(server, 'restore', user, '2001-01-01');
    assert.deepEqual([nothing.code, nothing.stdout], [1, '']);
    assert.match(nothing.stderr, /has no backup 2001-01-01/);
    assert.equal((await command(server, 'restore', user)).code, 1);
    assert.equal(await laptop.outcome(), 'no changes');
    assert.ok(backupNames(server, user).length >= names.length);
  });
});

test('every command works without a running server, and finds what damaged the data folder', async () => {
  await using server = await startServer();
  const [user = ''] = server.users;
  await using laptop = await server.device({ version: newestClient });
  await laptop.addNotes(thirtyNotes);
  await laptop.writeMedia('a.txt', 'a');
  await laptop.writeMedia('b.txt', 'b');
  await uploadAll(laptop);
  await laptop.syncMedia();
  const daily = await packedBackup(server, user, 'daily');
  await server.stop();

  const well = await command(server, 'verify');
  assert.deepEqual([well.code, well.stderr], [0, '']);
  const folder = path.join(server.base, user);
  const collection = path.join(folder, 'collection.anki2');
  const bytes = readFileSync(collection);
  writeFileSync(collection, bytes.fill(0x55, 4096, 12_288));
  writeFileSync(path.join(folder, 'media/a.txt'), 'changed');
  rmSync(path.join(folder, 'media/b.txt'));
  writeFileSync(path.join(folder, 'media/c.txt'), 'new');
  const ill = await command(server, 'verify', user);
  assert.equal(ill.code, 1);
  for (const finding of [
    /collection: .*damaged/,
    /missing: "b.txt"/,
    /changed.*"a.txt"/,
    /not in the index: "c.txt"/,
  ]) {
    assert.match(ill.stdout, finding);
  }

  assert.equal((await command(server, 'restore', user, daily)).code, 0);
  const aside = backupNames(server, user).find((name) => name.endsWith('.damaged.anki2')) ?? '';
  assert.deepEqual(readFileSync(path.join(folder, 'backups', aside)), bytes, 'the damaged file is kept as it was');
  assert.equal((await command(server, 'verify', '--repair')).code, 0);
  assert.match((await command(server, 'trash', user)).stdout, /a\.txt\n.*c\.txt/);
  assert.equal((await command(server, 'verify')).code, 0);
  await server.start();
  // The device hears of a change, finds that it has another number of files, says so, and then sends what is missing.
  await assert.rejects(downloadAll(laptop), /sync again/);
  await laptop.syncMedia();
  assert.deepEqual(readdirSync(path.join(folder, 'media')).sort(), ['a.txt', 'b.txt']);
  assert.equal(await laptop.outcome(), 'no changes');
});
