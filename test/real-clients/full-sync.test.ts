import assert from 'node:assert/strict';
import { assertSameState } from '../support/compare.ts';
import { type Device, nextSecond } from '../support/device.ts';
import { describeScenarios } from '../support/scenario.ts';
import { assertServerHolds, downloadAll, pairInSync, syncAll, uploadAll } from '../support/steps.ts';

/** Both devices are told to choose, the first one's collection is chosen, and normal syncs go on from there. */
async function oneWaySync(from: Device, to: Device): Promise<void> {
  assert.equal(await from.outcome(), 'full');
  await from.upload();
  assert.equal(await from.outcome(), 'no changes');
  assert.equal(await to.outcome(), 'full');
  await to.download();
  await syncAll([from, to]);
  await assertSameState([from, to]);
}

describeScenarios('Full syncs', import.meta.filename, ({ scenario }) => {
  scenario('a schema change asks for a one-way sync, which brings it to both devices', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      { fields: ['front', 'back'] },
      { fields: ['other front', 'other back'], deck: 'Other' },
    ]);
    await phone.addField('Basic', 'Source');
    await oneWaySync(phone, laptop);
    const [note = 0] = await laptop.findNotes('');
    assert.deepEqual((await laptop.note(note)).fields, ['front', 'back', '']);
    await laptop.editNote(note, { fields: { 2: 'a book' } });
    await syncAll([laptop, phone]);
    assert.deepEqual((await phone.note(note)).fields, ['front', 'back', 'a book']);
    await laptop.removeField('Basic', 'Source');
    await oneWaySync(laptop, phone);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('added and removed templates, notetypes and changed notes arrive by a one-way sync', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [{ fields: ['front', 'back'] }]);
    const [note = 0] = await phone.findNotes('');
    await phone.addNotetype('Two sided', ['Front', 'Back'], 2);
    await phone.addTemplate('Basic', 'Backwards', '{{Back}}');
    await oneWaySync(phone, laptop);
    assert.equal((await laptop.cardIds(note)).length, 2);
    await laptop.removeTemplate('Basic', 'Backwards');
    await laptop.changeNotetype([note], 'Two sided');
    await laptop.removeNotetype('Basic');
    await oneWaySync(laptop, phone);
    assert.ok(!(await phone.notetypeNames()).includes('Basic'));
    assert.ok((await phone.cardIds(note)).length >= 1); // Not all releases make the second card at once.
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('a download brings back the state of the server and drops what was not sent', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    await phone.addNote({ fields: ['not wanted', ''] });
    await phone.breakSchema();
    await laptop.addNote({ fields: ['wanted', ''] });
    await syncAll([laptop]);
    assert.equal(await phone.outcome(), 'full');
    await phone.download();
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await phone.findNotes('"not wanted"')).length, 0);
    assert.equal((await phone.findNotes('wanted')).length, 1);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('an upload replaces the state of the server and of the other device', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    await laptop.addNote({ fields: ['lost with the upload', ''] });
    await syncAll([laptop]);
    await nextSecond();
    await phone.addNote({ fields: ['kept', ''], deck: 'Kept' });
    await phone.breakSchema();
    await oneWaySync(phone, laptop);
    assert.equal((await laptop.findNotes('lost')).length, 0);
    assert.deepEqual(await laptop.deckNames(), ['Default', 'Kept']);
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('removed options of decks arrive by a one-way sync', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [{ fields: ['a', 'b'], deck: 'Deck' }]);
    const options = await phone.addOptions('For a time');
    await phone.chooseOptions(await phone.addDeck('Deck'), options);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    await nextSecond();
    await laptop.removeOptions(options);
    await oneWaySync(laptop, phone);
    const { facts } = await phone.state();
    assert.ok(!facts.has(`options/${options}/name`));
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('two devices that were filled before they met choose one of the two collections', {}, async (world) => {
    const [phone, laptop] = [await world.device('phone'), await world.device('laptop')];
    await phone.addNote({ fields: ['made on the phone', ''] });
    await nextSecond();
    await laptop.addNote({ fields: ['made on the laptop', ''] });
    await uploadAll(phone);
    await laptop.breakSchema(); // Early releases made on one day have the same schema time.
    assert.equal(await laptop.outcome(), 'full');
    await laptop.download();
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await laptop.findNotes('')).length, 1);
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('what was studied, buried and filtered goes through an upload and a download', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      { fields: ['studied', ''], tags: ['cram'] },
      { fields: ['suspended', ''] },
      { fields: ['flagged', ''], deck: 'A::B' },
    ]);
    const cards = (await phone.sql('select id from cards order by id')).map(([id]) => Number(id));
    const [studied = 0, suspended = 0, flagged = 0] = cards;
    for (const ease of [3, 3, 1] as const) await phone.answer(studied, ease);
    await phone.suspend([suspended]);
    await phone.flag([flagged], 3);
    await phone.addFilteredDeck('Filtered', 'tag:cram or is:new');
    await phone.breakSchema();
    await oneWaySync(phone, laptop);
    assert.equal((await laptop.sql('select count() from revlog'))[0]?.[0], 3);
    const third = await world.device('third');
    await downloadAll(third);
    await assertSameState([phone, third]);
  });
});
