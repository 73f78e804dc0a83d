import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { atOnce, inside, isNotGiven, isRefused, noteId, overwrite, World } from './damaged-world.ts';
import { noteIdsOf } from './script.ts';

for (const [what, damage] of Object.entries({ ...atOnce, ...inside })) {
  test(`a collection ${what} while the server is down is noticed, named, not served and not lost`, async () => {
    await using world = await World.start();
    await world.server.stop();
    damage(world.path('collection.anki2'));
    const damaged = readFileSync(world.path('collection.anki2'));
    await world.server.start();
    if (what in atOnce) await assert.rejects(world.device.sync(), isRefused);
    const downloaded = await world.device.download().catch((error: unknown) => error);
    if (downloaded instanceof Error) {
      assert.ok(isNotGiven(downloaded), String(downloaded));
      await world.assertLogged('collection.anki2');
      if (what in atOnce) assert.ok(world.keeps(damaged), 'the file stays as it is');
    } else {
      // Pages that are free, or hold what nobody needs, hurt nobody.
      assert.ok(!(what in atOnce));
    }
    // A device that has everything helps: what is left of the damaged file is set aside.
    const before = readFileSync(world.path('collection.anki2'));
    await world.device.upload(world.file.bytes, world.file.state);
    await world.device.sync({ noteIds: [noteId + 1] });
    assert.ok(noteIdsOf(await world.device.download()).has(noteId + 1));
    if (what in atOnce) assert.ok(world.keeps(before) || world.keeps(damaged), 'the damaged file was set aside');
  });
}

test('a collection that is damaged while the server runs is not served', async () => {
  for (const [what, damage] of Object.entries({ ...inside, ...atOnce })) {
    await using world = await World.start();
    damage(world.path('collection.anki2'));
    // What the server has in memory may be enough to mend it.
    const downloaded = await world.device.download().catch((error: unknown) => error);
    if (!(downloaded instanceof Error)) continue;
    assert.ok(isNotGiven(downloaded), `${what}: ${downloaded}`);
    await world.assertLogged('collection.anki2');
  }
});

for (const when of ['down', 'running'] as const) {
  test(`a media file that changes while the server is ${when} is noticed, named, not served, and kept`, async () => {
    await using world = await World.start();
    if (when === 'down') await world.server.stop();
    writeFileSync(world.path('media/a.jpg'), 'damaged stuff');
    rmSync(world.path('media/b.jpg'));
    if (when === 'down') await world.server.start();
    await assert.rejects(world.device.readMedia(), isRefused);
    await world.assertLogged('a.jpg');
    await world.assertLogged('b.jpg');
    assert.ok(world.keeps(Buffer.from('damaged stuff')), 'it may be all that is left');
    // The devices that have the files send them again.
    await world.device.sendMedia([
      ['a.jpg', 'content of a'],
      ['b.jpg', 'content of b'],
    ]);
    assert.deepEqual(Object.keys(await world.device.readMedia()).sort(), ['a.jpg', 'b.jpg']);
  });
}

test('files that belong to nobody do not disturb: leftovers, foreign files, folders in their place', async () => {
  await using world = await World.start();
  await world.server.stop();
  for (const name of ['collection.anki2.tmp', 'media-batch.json.unreadable', 'media/.hidden', 'media/foreign.txt']) {
    writeFileSync(world.path(name), 'foreign');
  }
  writeFileSync(world.path('media-batch.json'), '{"version": 1, "files": [{"name": "../../x"}]}');
  await world.server.start();
  await world.device.sync({ noteIds: [noteId + 1] });
  await world.device.sendMedia([['c.jpg', 'content of c']]);
  assert.deepEqual(Object.keys(await world.device.readMedia()).sort(), ['a.jpg', 'b.jpg', 'c.jpg']);
  await world.assertLogged('media-batch.json');
  assert.equal(readFileSync(world.path('media/foreign.txt'), 'utf8'), 'foreign');
});

const losses: Readonly<Record<string, (file: string) => void>> = {
  ...atOnce,
  'that is missing': (file) => rmSync(file),
  'of no length': (file) => writeFileSync(file, ''),
};

for (const [what, damage] of Object.entries(losses)) {
  test(`a media index ${what} is named, kept and made anew from the files; nothing is lost or sent again`, async () => {
    await using world = await World.start();
    const before = await world.device.readMedia();
    await world.server.stop();
    damage(world.path('media.db'));
    const damaged = what === 'that is missing' ? undefined : readFileSync(world.path('media.db'));
    await world.server.start();
    await world.device.sync();
    assert.deepEqual(await world.device.readMedia(), before);
    await world.assertLogged('media.db');
    if (damaged !== undefined) assert.ok(world.keeps(damaged), 'what was there is kept');
    await world.device.sendMedia([['c.jpg', 'content']]);
    assert.deepEqual(Object.keys(await world.device.readMedia()).sort(), ['a.jpg', 'b.jpg', 'c.jpg']);
  });
}

test('a media index that is damaged while the server runs is named, kept and made anew', async () => {
  await using world = await World.start();
  const before = await world.device.readMedia();
  overwrite(world.path('media.db'), 0, 100_000);
  // What the server has in memory may do for a while; a restart reads the file.
  await world.server.restart();
  assert.deepEqual(await world.device.readMedia(), before);
});

test('a media index that cannot be used stops media syncs only', async () => {
  await using world = await World.start();
  await world.server.stop();
  {
    using db = new DatabaseSync(world.path('media.db'));
    db.exec('PRAGMA user_version = 99');
  }
  const bytes = readFileSync(world.path('media.db'));
  await world.server.start();
  await world.device.sync({ noteIds: [noteId + 1] });
  await assert.rejects(world.device.readMedia(), isRefused);
  await world.assertLogged('media.db');
  assert.deepEqual(readFileSync(world.path('media.db')), bytes);
});
