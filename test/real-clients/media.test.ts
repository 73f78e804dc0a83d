import assert from 'node:assert/strict';
import type { Device } from '../support/device.ts';
import { describeScenarios } from '../support/scenario.ts';
import { downloadAll, pairInSync } from '../support/steps.ts';

const MiB = 1024 * 1024;

/** Syncs the media of each device, twice in turn, so that the first learns what the last one had. */
async function syncAllMedia(devices: readonly Device[]): Promise<void> {
  for (const _round of [1, 2]) for (const device of devices) await device.syncMedia();
}

async function assertSameMedia(devices: readonly Device[]): Promise<void> {
  const [first, ...others] = await Promise.all(devices.map((device) => device.mediaFiles()));
  others.forEach((files, n) => {
    assert.deepEqual(files, first, `${devices[n + 1]?.name} and ${devices[0]?.name} hold the same media`);
  });
}

/** Another device that downloads everything has the same media. */
async function assertServerHoldsMedia(device: Device, copy: Device): Promise<void> {
  await downloadAll(copy);
  await assertSameMedia([device, copy]);
}

describeScenarios('Media', import.meta.filename, ({ scenario }) => {
  scenario('files added on two devices are on both', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    await phone.writeMedia('phone.txt', 'from the phone');
    await laptop.writeMedia('laptop.jpg', new Uint8Array([0xff, 0xd8, 0, 1, 2]));
    await syncAllMedia([phone, laptop]);
    await assertSameMedia([phone, laptop]);
    assert.deepEqual(Object.keys(await phone.mediaFiles()), ['laptop.jpg', 'phone.txt']);
    await assertServerHoldsMedia(laptop, await world.device('third'));
  });

  scenario('a file replaced on one device is replaced on the other', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    await phone.writeMedia('a.txt', 'one');
    await syncAllMedia([phone, laptop]);
    const digest = await laptop.writeMedia('a.txt', 'two');
    await syncAllMedia([laptop, phone]);
    await assertSameMedia([phone, laptop]);
    assert.equal((await phone.mediaFiles())['a.txt'], digest);
    await assertServerHoldsMedia(phone, await world.device('third'));
  });

  scenario('a file deleted on one device is deleted on the other, and may come back', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    for (const name of ['goes.txt', 'stays.txt']) await phone.writeMedia(name, name);
    await syncAllMedia([phone, laptop]);
    await laptop.removeMedia('goes.txt');
    await syncAllMedia([laptop, phone]);
    await assertSameMedia([phone, laptop]);
    assert.deepEqual(Object.keys(await phone.mediaFiles()), ['stays.txt']);
    await phone.writeMedia('goes.txt', 'is back');
    await syncAllMedia([phone, laptop]);
    await assertSameMedia([phone, laptop]);
    assert.equal(Object.keys(await laptop.mediaFiles()).length, 2);
    await assertServerHoldsMedia(laptop, await world.device('third'));
  });

  scenario('of two different files of one name, the one that was sent first is on both', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const first = await phone.writeMedia('same.txt', 'sent first');
    await laptop.writeMedia('same.txt', 'sent second');
    await laptop.writeMedia('equal.txt', 'equal');
    await phone.writeMedia('equal.txt', 'equal');
    await syncAllMedia([phone, laptop]);
    await assertSameMedia([phone, laptop]);
    assert.equal((await laptop.mediaFiles())['same.txt'], first);
    await assertServerHoldsMedia(phone, await world.device('third'));
  });

  scenario('names in any script are kept as they are', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const names = [
      '日本語の音声.mp3',
      'Ünïcödé naïve.png',
      'Ελληνικά και кириллица.txt',
      '🎴 card.svg',
      'العربية.ogg',
      'a b  c.txt',
      '_underscored.css',
      "it's 100% & more; #1 (copy).txt",
      '__proto__',
      `${'x'.repeat(110)}.txt`,
    ];
    for (const name of names) await phone.writeMedia(name, name);
    await syncAllMedia([phone, laptop]);
    await assertSameMedia([phone, laptop]);
    assert.deepEqual(Object.keys(await laptop.mediaFiles()).sort(), names.toSorted());
    await assertServerHoldsMedia(laptop, await world.device('third'));
  });

  scenario('hundreds of files pass in many messages', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const [mine, theirs] = world.heavy ? [250, 50] : [40, 12];
    for (let n = 0; n < mine; n++) await phone.writeMedia(`phone ${n}.bin`, { seed: n, size: 100 + 997 * (n % 50) });
    for (let n = 0; n < theirs; n++) await laptop.writeMedia(`laptop ${n}.bin`, { seed: -n - 1, size: 10 + n });
    await syncAllMedia([phone, laptop]);
    await assertSameMedia([phone, laptop]);
    assert.equal(Object.keys(await laptop.mediaFiles()).length, mine + theirs);
    await assertServerHoldsMedia(phone, await world.device('third'));
  });

  scenario('a file of many megabytes arrives whole', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const size = world.heavy ? 15 * MiB : 4 * MiB;
    const digest = await phone.writeMedia('large.mp4', { seed: 15, size });
    await phone.writeMedia('small.txt', 'small');
    await syncAllMedia([phone, laptop]);
    await assertSameMedia([phone, laptop]);
    assert.equal((await laptop.mediaFiles())['large.mp4'], digest);
    await assertServerHoldsMedia(laptop, await world.device('third'));
  });

  scenario('adding, replacing and deleting on both devices at once ends equal', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    for (let n = 0; n < 30; n++) await phone.writeMedia(`f${n}.txt`, `original ${n}`);
    await syncAllMedia([phone, laptop]);
    for (let n = 0; n < 30; n += 3) await phone.removeMedia(`f${n}.txt`);
    for (let n = 1; n < 30; n += 3) await laptop.writeMedia(`f${n}.txt`, `replaced ${n}`);
    for (let n = 0; n < 30; n += 5) await phone.writeMedia(`new${n}.txt`, `new ${n}`);
    for (let n = 2; n < 30; n += 6) await laptop.removeMedia(`f${n}.txt`);
    await syncAllMedia([phone, laptop]);
    await assertSameMedia([phone, laptop]);
    const files = Object.keys(await phone.mediaFiles());
    assert.equal(files.length, 30 - 10 - 5 + 6);
    await assertServerHoldsMedia(phone, await world.device('third'));
  });
});
