import assert from 'node:assert/strict';
import { assertNoFindings, assertSameState, type CompareOptions } from './compare.ts';
import { type Device, type NewNote, nextSecond } from './device.ts';
import type { World } from './scenario.ts';

/**
 * Syncs each device, twice in turn: the second round brings the first device what the last one sent. The last one
 * must then have nothing to do. Throws when a device asks for a full sync.
 */
export async function syncAll(devices: readonly Device[]): Promise<void> {
  for (const _round of [1, 2]) {
    for (const device of devices) {
      const outcome = await device.outcome();
      assert.ok(outcome === 'normal' || outcome === 'no changes', `${device.name}: a normal sync, not "${outcome}"`);
    }
  }
  const last = devices.at(-1);
  if (last !== undefined) assert.equal(await last.outcome(), 'no changes', `${last.name} is up to date`);
}

/** Brings a device that has nothing yet to the server's state. */
export async function downloadAll(device: Device): Promise<void> {
  const { outcome, mediaUsn } = await device.sync();
  assert.ok(outcome === 'download only' || outcome === 'full', `${device.name}: a full sync, not "${outcome}"`);
  await device.download(mediaUsn === null ? {} : { mediaUsn });
  await device.syncMedia();
}

/** Puts a device's collection and media onto the server. */
export async function uploadAll(device: Device): Promise<void> {
  const { outcome, mediaUsn } = await device.sync();
  assert.ok(outcome === 'upload only' || outcome === 'full', `${device.name}: a full sync, not "${outcome}"`);
  await device.upload(mediaUsn === null ? {} : { mediaUsn });
  await device.syncMedia();
}

/**
 * The server holds what this device holds: another one that downloads everything is equal to it, and Check Database
 * finds nothing there.
 */
export async function assertServerHolds(device: Device, copy: Device, options: CompareOptions = {}): Promise<void> {
  await downloadAll(copy);
  await assertSameState([device, copy], options);
  await assertNoFindings(copy);
}

/** Two devices of one account that hold these notes, in sync. `prepare` does something to the first one before that. */
export async function pairInSync(
  world: World,
  notes: readonly NewNote[] = [{ fields: ['front', 'back'] }],
  prepare: (first: Device) => Promise<void> = async () => undefined,
): Promise<readonly [phone: Device, laptop: Device]> {
  const [phone, laptop] = [await world.device('phone'), await world.device('laptop')];
  await phone.useSchedulerForAll();
  await prepare(phone);
  await phone.addNotes(notes);
  await uploadAll(phone);
  await downloadAll(laptop);
  // Anki 2.1.15 writes the ids of its first notetypes as texts, and takes the numbers that come back for other notetypes.
  if (phone.version === '2.1.15') {
    await phone.download();
    await laptop.sync();
  }
  await nextSecond(); // So that any change from here on is newer than what was exchanged.
  return [phone, laptop];
}
