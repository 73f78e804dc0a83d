import assert from 'node:assert/strict';
import { globSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { command } from '../backup/commands.ts';
import { backupNames, packedBackup } from '../backup/wait.ts';
import { noteId, overwrite, World } from './damaged-world.ts';
import { noteIdsOf } from './script.ts';

const damages: Readonly<Record<string, (file: string) => void>> = {
  'cut in half': (file) => truncateSync(file, Math.floor(readFileSync(file).length / 2)),
  'of no length': (file) => truncateSync(file, 0),
  'with its middle overwritten': (file) => {
    const { length } = readFileSync(file);
    overwrite(file, Math.floor(length * 0.4), Math.floor(length * 0.6));
  },
  'of nothing but zeros': (file) => writeFileSync(file, Buffer.alloc(readFileSync(file).length)),
};

for (const when of ['down', 'running'] as const) {
  for (const [what, damage] of Object.entries(damages)) {
    test(`a backup ${what} while the server is ${when} is named, never restored and never removed`, async () => {
      await using world = await World.start();
      const { server } = world;
      await command(server, 'backup', 'ann');
      const manual = await packedBackup(server, 'ann', 'manual');
      await world.device.upload(world.file.bytes, world.file.state);
      const replaced = await packedBackup(server, 'ann', 'replaced');
      if (when === 'down') await server.stop();
      const file = world.path(`backups/${replaced}.colpkg`);
      damage(file);
      const damaged = readFileSync(file);
      if (when === 'down') await server.start();

      assert.equal((await command(server, 'backups', 'ann')).code, 0, 'the others can be listed');
      const refused = await command(server, 'restore', 'ann', replaced);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, new RegExp(`${replaced} cannot be restored, it is damaged`));
      await world.device.sync(); // The collection is the one that was there before.
      const ill = await command(server, 'verify', 'ann');
      assert.equal(ill.code, 1);
      assert.match(ill.stdout, new RegExp(`backups: ${replaced} is damaged`));
      assert.equal((await command(server, 'verify', 'ann', '--repair')).code, 0);
      assert.ok(world.keeps(damaged), 'a damaged backup is renamed, not removed');
      assert.ok(!backupNames(server, 'ann').includes(`${replaced}.colpkg`));
      assert.equal((await command(server, 'verify', 'ann')).code, 0);
      // The other one is as good as before.
      assert.equal((await command(server, 'restore', 'ann', manual)).code, 0);
      assert.ok(noteIdsOf(await world.device.download()).has(noteId));
    });
  }
}

test('a replaced collection that is damaged before it was packed is named and kept, and nothing else is held up', async () => {
  await using world = await World.start();
  const { server } = world;
  await server.stop();
  const [packed = ''] = backupNames(server, 'ann');
  const pending = world.path('backups/2026-11-20T101010.000Z.replaced.pending.anki2');
  writeFileSync(pending, readFileSync(world.path('collection.anki2')).fill(0xff, 0, 5000));
  writeFileSync(world.path('backups/2026-11-21T101010.000Z.replaced.pending.anki2'), '');
  writeFileSync(world.path('backups/2026-11-22T101010.000Z.replaced.colpkg.tmp'), 'half');
  writeFileSync(world.path('backups/2026-11-23T101010.000Z.daily.colpkg'), 'rubbish');
  const damaged = readFileSync(pending);
  await server.start();
  await world.assertLogged('A replaced collection is damaged');
  assert.ok(world.keeps(damaged));
  await world.device.sync({ noteIds: [noteId + 1] });
  const daily = packed.replace('.colpkg', '');
  assert.equal((await command(server, 'restore', 'ann', daily)).code, 0);
});

for (const when of ['down', 'running'] as const) {
  test(`damage in the media trash while the server is ${when} is named, and what is whole comes back`, async () => {
    await using world = await World.start();
    const { server } = world;
    await world.device.sendMedia([['a.jpg', null]]);
    await world.device.sendMedia([['b.jpg', 'another content of b']]);
    if (when === 'down') await server.stop();
    const trashed = (name: string) => {
      const [file = ''] = globSync(`media-trash/*/*/files/${name}`, { cwd: world.folder });
      return world.path(file);
    };
    // A file of one batch, and the record of the other.
    writeFileSync(trashed('a.jpg'), 'rotten');
    writeFileSync(path.join(path.dirname(trashed('b.jpg')), '../batch.json'), '{"version": 1, "at"');
    if (when === 'down') await server.start();

    const verified = await command(server, 'verify', 'ann');
    assert.match(verified.stdout, /media-trash: cannot be brought back: "a\.jpg of/);
    const listed = (await command(server, 'trash', 'ann')).stdout;
    for (const name of ['a.jpg', 'b.jpg']) assert.ok(listed.includes(name), listed);
    const refused = await command(server, 'trash', 'ann', '--restore', 'a.jpg');
    assert.match(refused.stdout + refused.stderr, /a\.jpg/);
    assert.equal((await world.device.readMedia())['a.jpg'], undefined, 'damaged bytes are not given to devices');
    assert.equal((await command(server, 'trash', 'ann', '--restore', 'b.jpg')).code, 0);
    assert.equal(readFileSync(world.path('media/b.jpg'), 'utf8'), 'content of b');
    assert.equal(readFileSync(trashed('a.jpg'), 'utf8'), 'rotten', 'it may be all that is left');
  });
}

test('backups and trash that are no folders hold nobody up but who needs them', async () => {
  await using world = await World.start();
  await world.server.stop();
  renameSync(world.path('backups'), world.path('backups-elsewhere'));
  writeFileSync(world.path('backups'), 'a file');
  writeFileSync(world.path('media-trash'), 'a file');
  await world.server.start();
  await world.device.sync({ noteIds: [noteId + 1] });
  await world.device.sendMedia([['new.jpg', 'content']]);
  await assert.rejects(world.device.upload(world.file.bytes, world.file.state), /could not make a backup/);
  await world.device.sync({ noteIds: [noteId + 2] });
  await world.assertLogged('the backup of the old collection could not be written');
});
