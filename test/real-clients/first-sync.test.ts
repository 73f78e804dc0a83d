import assert from 'node:assert/strict';
import { assertSameState } from '../support/compare.ts';
import { DeviceError } from '../support/device-process.ts';
import { describeScenarios } from '../support/scenario.ts';
import { assertServerHolds, downloadAll, pairInSync, syncAll, uploadAll } from '../support/steps.ts';

const noStatus = { '2.1.15': 'It has no button that shows the status.' };

describeScenarios('Logging in and the first syncs', import.meta.filename, ({ scenario }) => {
  scenario('the password that the owner set gives a key that syncs', {}, async (world) => {
    const phone = await world.device('phone');
    await phone.login(world.user, world.server.password(world.user));
    await phone.addNote({ fields: ['front', 'back'] });
    await uploadAll(phone);
    assert.equal(await phone.outcome(), 'no changes');
  });

  scenario('a wrong password, an unknown name and a foreign key are refused', {}, async (world) => {
    const phone = await world.device('phone');
    const isAuthError = (error: unknown) => error instanceof DeviceError && error.kind === 'auth';
    await assert.rejects(phone.login(world.user, 'wrong'), isAuthError);
    await assert.rejects(phone.login('nobody', world.server.password(world.user)), isAuthError);
    const stranger = await world.device('stranger');
    await stranger.loginWithKey('0123456789abcdef0123456789abcdef01234567');
    await stranger.addNote({ fields: ['front', 'back'] });
    await assert.rejects(stranger.sync(), isAuthError);
  });

  scenario('what the first device uploads is what the second one downloads', {}, async (world) => {
    const [phone, laptop] = [await world.device('phone'), await world.device('laptop')];
    await phone.addNotes([
      { fields: ['front', 'back'], tags: ['one', 'two'] },
      { fields: ['日本', '<b>Japan</b> &amp; more'], deck: 'Languages::日本語', tags: ['jp::N5'] },
    ]);
    await phone.writeMedia('a.txt', 'hello');
    await uploadAll(phone);
    await downloadAll(laptop);
    await assertSameState([phone, laptop]);
    assert.equal(await laptop.outcome(), 'no changes');
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('a device that uploaded and one that downloaded go on with normal syncs', {}, async (world) => {
    const [phone, laptop] = [await world.device('phone'), await world.device('laptop')];
    await phone.addNote({ fields: ['front', 'back'] });
    await uploadAll(phone);
    await downloadAll(laptop);
    await laptop.addNote({ fields: ['second', 'note'], deck: 'Other' });
    assert.equal(await laptop.outcome(), 'normal');
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await phone.findNotes('')).length, 2);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('the sync button knows what happened elsewhere without a sync', { except: noStatus }, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    await syncAll([phone, laptop]);
    assert.equal(await laptop.status(), 'NO_CHANGES');
    await laptop.addNote({ fields: ['news', ''] });
    assert.equal(await laptop.outcome(), 'normal');
    await phone.restart(); // A client that has been in sync asks again after five minutes only.
    assert.equal(await phone.status(), 'NORMAL_SYNC');
    assert.equal(await phone.outcome(), 'normal');
  });
});
