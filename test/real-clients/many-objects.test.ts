import assert from 'node:assert/strict';
import { assertSameState } from '../support/compare.ts';
import { nextSecond } from '../support/device.ts';
import { describeScenarios } from '../support/scenario.ts';
import { assertServerHolds, pairInSync, syncAll } from '../support/steps.ts';

describeScenarios('Many objects', import.meta.filename, ({ scenario }) => {
  scenario('thousands of notes, cards and deletions pass in many chunks', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    const count = world.heavy ? 3000 : 600;
    const notes = Array.from({ length: count }, (_, n) => ({
      fields: [`question ${n}`, `<div>answer ${n}</div> `.repeat(1 + (n % 7))],
      deck: `Deck ${n % 5}`,
      tags: [`tag${n % 11}`],
    }));
    await laptop.addNotes(notes.slice(0, count / 10).map((note) => ({ ...note, deck: 'From the laptop' })));
    await nextSecond(); // Ids are milliseconds, and a client that adds quickly runs ahead of the clock.
    const added = await phone.addNotes(notes);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await laptop.findNotes('')).length, 1 + count + count / 10);
    await nextSecond();
    const half = added.filter((_, n) => n % 2 === 0).map(({ note }) => note);
    await laptop.removeNotes(half);
    await laptop.suspend(added.filter((_, n) => n % 2 === 1).flatMap(({ cards }) => cards));
    await syncAll([laptop, phone]);
    await assertSameState([phone, laptop]);
    assert.equal((await phone.findNotes('')).length, 1 + count / 2 + count / 10);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario(
    'what a device has missed for long comes in few messages, long notes among short ones',
    {
      notOfficial: 'all its chunks are small',
    },
    async (world) => {
      const [phone, laptop] = await pairInSync(world);
      const count = world.heavy ? 6000 : 1500;
      const long = 'a long answer, with <b>tags</b> and “quotes” 漢字 '.repeat(400);
      // The newest objects go first: the long ones are in the last messages, which hold the most.
      await phone.addNotes(
        Array.from({ length: count }, (_, n) => ({
          fields: [`question ${n}`, n < 60 ? `${n} ${long}` : `answer ${n}`],
        })),
      );
      assert.equal(await phone.outcome(), 'normal');
      const proxy = await world.proxy();
      await laptop.connect(proxy.url);
      proxy.watch(() => 'pass');
      assert.equal(await laptop.outcome(), 'normal');
      const chunks = proxy.passed.filter((method) => method === 'sync/chunk').length;
      assert.ok(chunks <= 6 + count / 500, `${chunks} messages for ${count} notes and as many cards`);
      await syncAll([phone, laptop]);
      await assertSameState([phone, laptop]);
      await assertServerHolds(phone, await world.device('third'));
    },
  );
});
