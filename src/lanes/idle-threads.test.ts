import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaneWorld } from './testing/lane-world.ts';

const meta = { v: 11, cv: 'anki,26.09.3 (test),linux' };
const start = { minUsn: 0, lnewer: false };

async function threadsOf(world: LaneWorld): Promise<number> {
  return (await world.lanes.state(1_000)).threads.length;
}

/** Waits until no thread for collections is there. */
async function becomesQuiet(world: LaneWorld): Promise<void> {
  const endsMs = performance.now() + 60_000;
  while ((await threadsOf(world)) > 0) {
    assert.ok(performance.now() < endsMs, 'a thread stays although nobody is there');
    await sleep(200);
  }
}

test('threads end when nobody is there, and the next device notices nothing of it', async () => {
  await using world = new LaneWorld();
  await world.ask('meta', meta, { sessionKey: 'ours' });
  await world.ask('start', start, { sessionKey: 'ours' });
  await world.ask('abort', {}, { sessionKey: 'ours' });
  assert.equal(await threadsOf(world), 1);
  await becomesQuiet(world);
  await world.ask('meta', meta, { sessionKey: 'ours' });
  await world.ask('start', start, { sessionKey: 'ours' });
  assert.equal(await threadsOf(world), 1);
  await world.ask('abort', {}, { sessionKey: 'ours' });
  assert.deepEqual(world.errors, []);
});

test('a thread stays while a device is in the middle of a sync, however slow it is', async () => {
  await using world = new LaneWorld();
  await world.ask('meta', meta, { sessionKey: 'ours' });
  await world.ask('start', start, { sessionKey: 'ours' });
  await sleep(17_000);
  assert.equal(await threadsOf(world), 1);
  await world.ask('applyGraves', { chunk: { cards: [], notes: [], decks: [] } }, { sessionKey: 'ours' });
});
