import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LaneWorld } from './testing/lane-world.ts';

const meta = { v: 11, cv: 'anki,26.09.3 (test),linux' };
const start = { minUsn: 0, lnewer: false };

test('a device whose own download came between its status check and its sync may begin the sync', async () => {
  await using world = new LaneWorld();
  for (const _ of ['asked of the thread', 'answered without it']) {
    await world.ask('meta', meta, { sessionKey: 'ours' });
    await world.ask('download', {}, { sessionKey: 'ours' });
    world.lanes.release(world.folder);
    await world.ask('start', start, { sessionKey: 'ours' });
    await world.ask('abort', {}, { sessionKey: 'ours' });
  }
});

test('a device whose status check was overtaken by the download of another one has to ask again', async () => {
  await using world = new LaneWorld();
  await world.ask('meta', meta, { sessionKey: 'ours' });
  await world.ask('download', {}, { sessionKey: 'theirs' });
  world.lanes.release(world.folder);
  await assert.rejects(world.ask('start', start, { sessionKey: 'ours' }), { code: 'syncConflict' });
});
