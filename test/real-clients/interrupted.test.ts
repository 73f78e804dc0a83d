import assert from 'node:assert/strict';
import { assertSameState } from '../support/compare.ts';
import type { CuttingProxy, Moment } from '../support/cutting-proxy.ts';
import type { Device } from '../support/device.ts';
import { DeviceError } from '../support/device-process.ts';
import { describeScenarios, type World } from '../support/scenario.ts';
import { assertServerHolds, downloadAll, pairInSync, syncAll, uploadAll } from '../support/steps.ts';

/** A place in a sync: before a message reaches the server, or after its answer has left it. */
interface Point {
  readonly method: string;
  readonly number: number;
  readonly moment: Moment;
}

/** Something for a sync to carry in both directions. */
async function changeBoth(phone: Device, laptop: Device, label: string): Promise<void> {
  await laptop.addNote({ fields: [`laptop, ${label}`, ''], deck: 'From the laptop', tags: ['laptop'] });
  await laptop.sync();
  const [doomed] = (
    await phone.addNotes([
      { fields: [`phone, ${label}`, ''], deck: `From the phone::${label}` },
      { fields: [`gone, ${label}`, ''] },
    ])
  ).slice(1);
  if (doomed !== undefined) await phone.removeNotes([doomed.note]);
}

/** Every place in a normal sync of that client, seen in one that goes well. */
async function pointsOfSync(proxy: CuttingProxy, phone: Device, laptop: Device): Promise<readonly Point[]> {
  await changeBoth(phone, laptop, 'undisturbed');
  proxy.watch(() => 'pass');
  assert.equal(await phone.outcome(), 'normal');
  assert.equal(proxy.passed.at(-1), 'sync/finish');
  return proxy.passed.flatMap((method, n) => [
    { method, number: n + 1, moment: 'before' as const },
    { method, number: n + 1, moment: 'after' as const },
  ]);
}

/** Where a process can die: between any two messages; in the light form only where most is at stake. */
function placesToDie(world: World, points: readonly Point[]): readonly Point[] {
  const isCritical = ({ method }: Point) => method === 'sync/finish' || method === 'sync/applyChunk';
  // Before a message is the same as after the one before it, but for the first.
  return points.filter((point) =>
    point.moment === 'after' ? world.heavy || isCritical(point) : world.heavy && point.number === 1,
  );
}

/** Does something when the sync has come to that place. */
function at(proxy: CuttingProxy, point: Point, then: 'pass' | 'cut', act: () => Promise<void> = async () => {}): void {
  proxy.watch(async ({ number, moment }) => {
    if (number !== point.number || moment !== point.moment) return 'pass';
    await act();
    return then;
  });
}

function labelOf({ method, moment }: Point): string {
  return `${moment} ${method.replace('/', ' ')}`;
}

/** What may be told to the user whose server came back in the middle of a sync: that it can be tried again at once. */
function isHarmless(error: unknown): boolean {
  return error instanceof DeviceError && (error.kind === 'conflict' || error.kind === 'network');
}

describeScenarios('Interrupted syncs', import.meta.filename, ({ scenario }) => {
  scenario('after a request or an answer that got lost, the next sync brings everything', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const proxy = await world.proxy();
    await phone.connect(proxy.url);
    const points = await pointsOfSync(proxy, phone, laptop);
    for (const point of world.heavy ? points : points.filter(({ moment }) => moment === 'after')) {
      await changeBoth(phone, laptop, labelOf(point));
      at(proxy, point, 'cut');
      await assert.rejects(phone.sync(), DeviceError, labelOf(point));
      proxy.watch(() => 'pass');
      await syncAll([phone, laptop]);
    }
    await assertSameState([phone, laptop]);
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('a client that dies in the middle of a sync loses nothing and repeats it', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const proxy = await world.proxy();
    await phone.connect(proxy.url);
    for (const point of placesToDie(world, await pointsOfSync(proxy, phone, laptop))) {
      await changeBoth(phone, laptop, labelOf(point));
      at(proxy, point, 'cut', () => phone.kill());
      await assert.rejects(phone.sync(), DeviceError, labelOf(point));
      proxy.watch(() => 'pass');
      await phone.restart();
      assert.equal((await phone.findNotes(`"phone, ${labelOf(point)}"`)).length, 1);
      await syncAll([phone, laptop]);
    }
    await assertSameState([phone, laptop]);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('a server that dies between two messages of a sync loses nothing that it confirmed', {}, async (world) => {
    const own = await world.ownServer();
    const [phone, laptop] = await pairInSync(own);
    const proxy = await own.proxy();
    await phone.connect(proxy.url);
    for (const point of placesToDie(world, await pointsOfSync(proxy, phone, laptop))) {
      await changeBoth(phone, laptop, labelOf(point));
      at(proxy, point, 'pass', async () => {
        await own.server.kill('SIGKILL');
        await own.server.start();
      });
      const outcome = await phone.outcome().catch((error) => {
        assert.ok(isHarmless(error), `${labelOf(point)}: ${error}`);
      });
      proxy.watch(() => 'pass');
      // What the client took for done is done: nothing is sent again, and the laptop gets it from the new process.
      if (outcome !== undefined) assert.equal(await phone.outcome(), 'no changes', labelOf(point));
      await syncAll([laptop, phone]);
      assert.equal((await laptop.findNotes(`"phone, ${labelOf(point)}"`)).length, 1);
    }
    await assertSameState([phone, laptop]);
    await assertServerHolds(laptop, await own.device('third'));
  });

  scenario('what was uploaded is there after the server dies', {}, async (world) => {
    const own = await world.ownServer();
    const phone = await own.device('phone');
    await phone.addNote({ fields: ['safe', ''], deck: 'Deep::Down' });
    for (let n = 0; n < 30; n++) await phone.writeMedia(`file ${n}.bin`, { seed: n, size: 5000 });
    await uploadAll(phone);
    await own.server.kill('SIGKILL');
    await own.server.start();
    assert.equal(await phone.outcome(), 'no changes');
    await assertServerHolds(phone, await own.device('third'));
  });

  scenario('a full sync that breaks off leaves both sides as they were, and can be repeated', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const proxy = await world.proxy();
    await phone.connect(proxy.url);
    await phone.addNote({ fields: ['by one-way sync', ''] });
    await phone.breakSchema();
    assert.equal(await phone.outcome(), 'full');
    proxy.watch(() => 'cut');
    await assert.rejects(phone.upload(), DeviceError);
    await assert.rejects(phone.download(), DeviceError);
    proxy.watch(() => 'pass');
    assert.equal((await phone.findNotes('one-way')).length, 1);
    assert.equal(await laptop.outcome(), 'no changes');
    await uploadAll(phone);
    assert.equal(await laptop.outcome(), 'full');
    await laptop.download();
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
  });

  scenario('media syncs that break off, on either side, are completed by the next one', {}, async (world) => {
    const own = await world.ownServer();
    const [phone, laptop] = await pairInSync(own);
    const proxy = await own.proxy();
    for (let n = 0; n < 60; n++) await phone.writeMedia(`file ${n}.bin`, { seed: n, size: 3000 });
    for (const device of [phone, laptop]) await device.connect(proxy.url);
    const lost = ['msync/uploadChanges', 'msync/downloadFiles'];
    proxy.watch(({ method, moment }) => (moment === 'after' && lost.includes(method) ? 'cut' : 'pass'));
    await assert.rejects(phone.syncMedia(), DeviceError);
    await own.server.kill('SIGKILL');
    await own.server.start();
    proxy.watch(() => 'pass');
    await syncMediaUntilDone(phone);
    proxy.watch(({ method, moment }) => (moment === 'after' && lost.includes(method) ? 'cut' : 'pass'));
    await assert.rejects(laptop.syncMedia(), DeviceError);
    proxy.watch(() => 'pass');
    await laptop.kill();
    await laptop.restart();
    await syncMediaUntilDone(laptop);
    assert.deepEqual(await laptop.mediaFiles(), await phone.mediaFiles());
    const third = await own.device('third');
    await downloadAll(third);
    assert.deepEqual(await third.mediaFiles(), await phone.mediaFiles());
  });
});

/** After a lost answer the counts of both sides may differ once, which the client takes as a reason to look again. */
async function syncMediaUntilDone(device: Device): Promise<void> {
  for (const isLast of [false, true]) {
    try {
      return await device.syncMedia();
    } catch (error) {
      if (isLast) throw error;
    }
  }
}
