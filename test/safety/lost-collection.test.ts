import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { command } from '../backup/commands.ts';
import { backupNames, packedBackup, waitFor } from '../backup/wait.ts';
import { isNotGiven, isRefused, noteId, overwrite, World } from './damaged-world.ts';
import { noteIdsOf } from './script.ts';
import { SyncDevice } from './sync-device.ts';

test('a collection that is missing is named with its newest backup; a device with data is asked to upload, not to download', async () => {
  await using world = await World.start();
  const { server } = world;
  await command(server, 'backup', 'ann');
  const newest = await packedBackup(server, 'ann', 'manual');
  await server.stop();
  rmSync(world.path('collection.anki2'));
  const ill = await command(server, 'verify', 'ann');
  assert.equal(ill.code, 1);
  assert.match(ill.stdout, new RegExp(`collection: .*collection\\.anki2 is missing.*${newest}`));
  await server.start();
  const meta = await server.rawClient('ann').meta();
  assert.equal(meta.empty, true, 'an empty server never empties a device');
  await world.assertLogged('The collection is missing although there are backups');
  assert.match(server.log, new RegExp(`undo="anki-sync-server restore ann ${newest}"`));
  assert.equal((await command(server, 'restore', 'ann', newest)).code, 0);
  assert.ok(noteIdsOf(await world.device.download()).has(noteId));
});

test('a collection of no length is refused and named, not taken for a new one, and its log is not touched', async () => {
  await using world = await World.start();
  const { server } = world;
  await server.stop();
  writeFileSync(world.path('collection.anki2'), '');
  writeFileSync(world.path('collection.anki2-wal'), 'what was committed last');
  await server.start();
  for (const _attempt of [1, 2]) await assert.rejects(server.rawClient('ann').meta(), isRefused);
  await world.assertLogged('collection.anki2');
  assert.match(server.log, /it is an empty file.*|see anki-sync-server verify ann/);
  assert.equal(readFileSync(world.path('collection.anki2'), 'utf8'), '');
  assert.equal(readFileSync(world.path('collection.anki2-wal'), 'utf8'), 'what was committed last');
  const ill = await command(server, 'verify', 'ann');
  assert.match(ill.stdout, /collection\.anki2.*empty file.*Restore a backup/);
  // Whoever has everything puts it back, and the log stays.
  await world.device.upload(world.file.bytes, world.file.state);
  assert.ok(world.keeps(Buffer.from('what was committed last')));
  await world.device.sync({ noteIds: [noteId + 1] });
});

for (const [what, take] of Object.entries({
  removed: (file: string) => rmSync(file),
  'put elsewhere': (file: string) => renameSync(file, `${file}.old`),
})) {
  test(`a collection that is ${what} while the server has it open is saved as a backup, with the last sync`, async () => {
    await using world = await World.start();
    const { server } = world;
    await world.device.sync({ noteIds: [noteId + 1] });
    take(world.path('collection.anki2'));
    assert.equal((await server.rawClient('ann').meta()).empty, true);
    await world.assertLogged('Another program removed or replaced the collection');
    const saved = await packedBackup(server, 'ann', 'replaced');
    assert.equal((await command(server, 'restore', 'ann', saved)).code, 0);
    assert.ok(noteIdsOf(await world.device.download()).has(noteId + 1));
  });
}

test('a collection that is removed before the server stops is saved as a backup when it stops', async () => {
  await using world = await World.start();
  const { server } = world;
  await world.device.sync({ noteIds: [noteId + 1] });
  rmSync(world.path('collection.anki2'));
  await server.stop();
  assert.ok(backupNames(server, 'ann').some((name) => name.endsWith('replaced.pending.anki2')));
  await server.start();
  const saved = await packedBackup(server, 'ann', 'replaced');
  assert.equal((await command(server, 'restore', 'ann', saved)).code, 0);
  assert.ok(noteIdsOf(await world.device.download()).has(noteId + 1));
});

/** The files of a server that was killed while the log held commits. */
async function killedWithLog(): Promise<World> {
  const world = await World.start();
  await world.device.sync({ noteIds: [noteId + 1] });
  await world.server.kill();
  assert.ok(existsSync(world.path('collection.anki2-wal')));
  return world;
}

test('the log of a collection that is missing is set aside and named, and not mixed into the next one', async () => {
  await using world = await killedWithLog();
  const { server } = world;
  const log = readFileSync(world.path('collection.anki2-wal'));
  rmSync(world.path('collection.anki2'));
  await server.start();
  assert.equal((await server.rawClient('ann').meta()).empty, true);
  await world.assertLogged('damaged.anki2');
  assert.ok(world.keeps(log));
  await world.device.upload(world.file.bytes, world.file.state);
  await world.device.sync({ noteIds: [noteId + 2] });
});

for (const [what, damage] of Object.entries({
  'cut off': (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 5000)),
  'without its header': (file: string) => overwrite(file, 0, 32),
  'with its last commit overwritten': (file: string) => {
    const { length } = readFileSync(file);
    overwrite(file, length - 3000, length);
  },
  'of another collection': (file: string) => {
    const bytes = readFileSync(file);
    bytes.writeUInt32BE(12345, 16); // The salt, by which pages belong to a log.
    writeFileSync(file, bytes);
  },
})) {
  test(`a log ${what} leaves the collection whole, as of an earlier commit`, async () => {
    await using world = await killedWithLog();
    const { server } = world;
    damage(world.path('collection.anki2-wal'));
    await server.start();
    // The device knows of a sync that the server has lost: that is noticed, and every device gets a full sync.
    const fresh = new SyncDevice(server.rawClient('ann'));
    const state = await fresh.download();
    assert.equal(state.integrity, 'ok');
    await fresh.sync({ noteIds: [noteId + 2] });
    const verified = await command(server, 'verify', 'ann');
    assert.match(verified.stdout, /collection: whole/);
  });
}

test('damage that is found while one device downloads is not given to a second device either', async () => {
  await using world = await World.start();
  const { server } = world;
  await server.stop();
  copyFileSync(world.path('collection.anki2'), world.path('saved'));
  overwrite(world.path('collection.anki2'), 200_000, 220_000);
  await server.start();
  const devices = [1, 2, 3].map(() => server.rawClient('ann'));
  const answers = await Promise.allSettled(devices.map((device) => device.download()));
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  await waitFor(() => server.log.includes('The stored collection is damaged; see anki-sync-server verify ann'));
});

test('a log that is damaged while the server runs damages no device', async () => {
  for (const from of [0.2, 0.5, 0.9]) {
    await using world = await World.start();
    const { server } = world;
    await world.device.sync({ noteIds: [noteId + 1, noteId + 2] });
    const file = world.path('collection.anki2-wal');
    const { length } = readFileSync(file);
    overwrite(file, Math.floor(length * from), Math.floor(length * from) + 5000);
    // What the server has in memory may be enough. What arrives is looked at closely.
    const downloaded = await world.device.download().catch((error: unknown) => error);
    if (!(downloaded instanceof Error)) continue;
    assert.ok(isNotGiven(downloaded), String(downloaded));
    await waitFor(() => server.log.includes('damaged'));
    assert.equal((await command(server, 'restore', 'ann', 'latest')).code, 0);
    await world.device.download();
  }
});

test('damage that no sync meets is found and named by the next daily backup, which is not made', async () => {
  await using world = await World.start();
  const { server } = world;
  await server.stop();
  rmSync(world.path('backups'), { recursive: true });
  overwrite(world.path('collection.anki2'), 200_000, 220_000);
  await server.start();
  await world.device.sync();
  await waitFor(() => server.log.includes('The stored collection is damaged, so no backup was made of it'));
  assert.match(
    server.log,
    /ERROR .*no backup was made of it; see anki-sync-server verify ann.*path=".*collection\.anki2"/,
  );
  assert.deepEqual(backupNames(server, 'ann'), []);
});
