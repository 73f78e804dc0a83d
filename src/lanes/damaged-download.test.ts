import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { COLLECTIONS } from '../collection/test-files.ts';
import { SyncError } from '../errors.ts';
import { LaneWorld } from './testing/lane-world.ts';

/** Pages that no sync reads. */
function damage({ folder }: LaneWorld): void {
  writeFileSync(folder.collection, readFileSync(folder.collection).fill(0xff, 200_000, 220_000));
}

const isNamed = (error: unknown) =>
  error instanceof SyncError && error.code === 'serverFault' && /collection\.anki2, it is damaged/.test(error.message);

/** Asks for the collection as a device that takes it whole, once its check is done. */
async function takeWhole(world: LaneWorld): Promise<void> {
  const answer = await world.ask('download');
  if (answer.kind !== 'file') throw new Error(`A download was answered with ${answer.kind}`);
  try {
    await answer.soundness;
  } finally {
    world.lanes.release(world.folder);
  }
}

test('an old client, which gets a converted copy, is not given a damaged collection either', async () => {
  await using world = new LaneWorld();
  const whole = await world.ask('download', {}, { dress: 'legacy' });
  assert.equal(whole.kind === 'file' && whole.afterwards, 'delete');
  if (whole.kind === 'file') rmSync(whole.path);
  damage(world);
  await assert.rejects(world.ask('download', {}, { dress: 'legacy' }), isNamed);
  assert.match(world.errors.join(), /The stored collection is damaged; see anki-sync-server verify ann/);
  assert.deepEqual(readdirSync(world.folder.incoming), []);
});

test('a device that downloads while another one does gets a checked copy', async () => {
  await using world = new LaneWorld();
  const first = await world.ask('download');
  assert.equal(first.kind === 'file' && first.afterwards, 'release');
  const second = await world.ask('download');
  assert.equal(second.kind === 'file' && second.afterwards, 'delete');
  if (second.kind === 'file') rmSync(second.path);
  if (first.kind === 'file') await first.soundness;
  damage(world);
  // What is in memory may be sound: then so is the copy.
  const third = await world.ask('download').catch((error: unknown) => error);
  if (third instanceof Error) assert.ok(isNamed(third) || /for a download; see/.test(third.message), third.message);
  else assert.deepEqual(world.errors, []);
  world.lanes.release(world.folder);
  // From here on it is the file itself again.
  await assert.rejects(takeWhole(world), isNamed);
});

test('a download is on its way before its check is done, and the next one waits if damage was found', async () => {
  await using world = new LaneWorld();
  damage(world);
  await assert.rejects(takeWhole(world), isNamed);
  await assert.rejects(world.ask('download'), isNamed);
  assert.equal(world.errors.length, 2);
});

test('a whole collection is on its way at once again when it was mended', async () => {
  await using world = new LaneWorld();
  damage(world);
  await assert.rejects(takeWhole(world), isNamed);
  await world.lanes.inCollectionLane(world.folder, async () => {
    await world.lanes.closeInLane(world.folder);
    copyFileSync(path.join(COLLECTIONS, 'rich.anki2'), world.folder.collection);
  });
  await takeWhole(world);
});
