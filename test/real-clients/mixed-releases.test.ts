import assert from 'node:assert/strict';
import type { ClientVersion } from '../support/clients.ts';
import { assertSameState } from '../support/compare.ts';
import { type Device, nextSecond } from '../support/device.ts';
import { describeScenarios, type World } from '../support/scenario.ts';
import { assertServerHolds, downloadAll, syncAll, uploadAll } from '../support/steps.ts';

const pairs = [
  ['2.1.15', '26.9.3'],
  ['2.1.44', '26.9.3'],
  ['2.1.54', '2.1.66'],
  ['2.1.58', '26.9.3'],
] as const satisfies readonly (readonly [ClientVersion, ClientVersion])[];

/** A device of each release on one account, in sync; the older one made the collection. */
async function oldAndNew(world: World, newer: ClientVersion): Promise<readonly [Device, Device]> {
  const [old, fresh] = [await world.device('old'), await world.device('new', newer)];
  await old.useSchedulerForAll();
  await old.addNotes([
    { fields: ['made by the old one', '<i>first</i>'], deck: 'Old::Deck', tags: ['old'] },
    { fields: ['studied by both', ''], deck: 'Old::Deck' },
    { fields: ['studied by the new one', ''] },
  ]);
  await uploadAll(old);
  await downloadAll(fresh);
  // Anki 2.1.15 writes the ids of its first notetypes as texts, and takes the numbers that come back for other notetypes.
  if (old.version === '2.1.15') await old.download();
  await syncAll([fresh, old]);
  await assertSameState([old, fresh]);
  await nextSecond();
  return [old, fresh];
}

const studyingPairs = pairs.filter(([old]) => old !== '2.1.15');

describeScenarios('Old and new releases on one account', import.meta.filename, ({ mixed }) => {
  mixed('changes of every kind pass in both directions by normal syncs', pairs, async (world, newer) => {
    const [old, fresh] = await oldAndNew(world, newer);
    const [first = 0, second = 0] = await old.findNotes('');
    await fresh.editNote(first, { fields: { 1: 'edited by the new one' }, tags: ['old', 'both'] });
    await fresh.addNote({ fields: ['made by the new one', 'y'], deck: 'New::日本語', tags: ['new'] });
    await fresh.setConfig('fromNew', { deep: [1, { two: null }] });
    await fresh.addNotetype('New type', ['A', 'B'], 2);
    await fresh.editOptions(1, { 'new/perDay': 33 });
    await old.addNote({ fields: ['made by the old one, too', 'x'], deck: 'Old::More' });
    await old.editNotetype('Basic', { values: { css: '.card { color: navy }' } });
    await old.removeNotes([second]);
    await syncAll([old, fresh]);
    await assertSameState([old, fresh]);
    assert.deepEqual((await old.note(first)).fields, ['made by the old one', 'edited by the new one']);
    assert.equal((await fresh.findNotes('')).length, 4);
    await nextSecond();
    const deck = await old.addDeck('Old::Deck');
    await old.renameDeck(deck, 'Renamed');
    await old.addNote({ fields: ['a', 'b'], notetype: 'New type', deck: 'Renamed::Below' });
    await fresh.renameTag('both', 'all');
    await syncAll([fresh, old]);
    await assertSameState([old, fresh], { except: [/^tags\/both$/] });
    assert.ok((await fresh.deckNames()).includes('Renamed::Below'));
    await assertServerHolds(fresh, await world.device('third', newer), { except: [/^tags\/both$/] });
  });

  mixed('media pass in both directions', pairs, async (world, newer) => {
    const [old, fresh] = await oldAndNew(world, newer);
    for (const name of ['old.txt', 'ünï 日本.mp3', 'replaced.txt']) await old.writeMedia(name, name);
    for (const name of ['new.txt', '🎴.svg', 'deleted.txt']) await fresh.writeMedia(name, name);
    for (const device of [old, fresh, old]) await device.syncMedia();
    await fresh.writeMedia('replaced.txt', 'by the new one');
    await old.removeMedia('deleted.txt');
    for (const device of [old, fresh, old]) await device.syncMedia();
    assert.deepEqual(await old.mediaFiles(), await fresh.mediaFiles());
    assert.equal(Object.keys(await old.mediaFiles()).length, 5);
  });

  mixed('what one release studies the other one sees', studyingPairs, async (world, newer) => {
    const [old, fresh] = await oldAndNew(world, newer);
    const cards = (await old.sql('select id from cards order by id')).map(([id]) => Number(id));
    const [first = 0, shared = 0, third = 0] = cards;
    await fresh.useScheduler3(); // Releases from 23.10 on study with no other; the older ones go on with theirs.
    await syncAll([fresh, old]);
    await nextSecond();
    for (const ease of [3, 3] as const) await old.answer(shared, ease);
    await old.suspend([first]);
    await syncAll([old, fresh]);
    await assertSameState([old, fresh]);
    await nextSecond();
    await fresh.answer(shared, 3);
    await fresh.answer(third, 1);
    await fresh.unsuspend([first]);
    await fresh.flag([first], 1);
    await syncAll([fresh, old]);
    await assertSameState([old, fresh]);
    assert.deepEqual(await old.sql('select count() from revlog'), [[4]]);
    await assertServerHolds(fresh, await world.device('third', newer));
  });

  mixed('what the oldest release studies the newest one sees', [['2.1.15', '26.9.3']], async (world, newer) => {
    const [old, fresh] = await oldAndNew(world, newer);
    const cards = (await old.sql('select id from cards order by id')).map(([id]) => Number(id));
    const [first = 0, second = 0, third = 0] = cards;
    for (const ease of [3, 3, 1] as const) await old.answer(first, ease);
    await old.suspend([second]);
    await old.bury([third]);
    await syncAll([old, fresh]);
    await assertSameState([old, fresh]);
    assert.deepEqual(await fresh.sql('select count() from revlog'), [[3]]);
    await assertServerHolds(fresh, await world.device('third', newer));
  });

  mixed(
    'a release that knows no time zones is turned away once another one has set it',
    [['2.1.15', '26.9.3']],
    async (world, newer) => {
      const [old, fresh] = await oldAndNew(world, newer);
      await nextSecond();
      await fresh.useScheduler3();
      await fresh.sync();
      await old.addNote({ fields: ['stays here', ''] });
      await assert.rejects(old.sync(), /serverAbort/);
      assert.equal((await old.findNotes('')).length, 4);
      assert.equal(await fresh.outcome(), 'no changes');
    },
  );

  mixed('a one-way sync from either release reaches the other', pairs, async (world, newer) => {
    const [old, fresh] = await oldAndNew(world, newer);
    for (const [from, to, field] of [
      [old, fresh, 'Added by the old one'],
      [fresh, old, 'Added by the new one'],
    ] as const) {
      await from.addField('Basic', field);
      assert.equal(await from.outcome(), 'full');
      await from.upload();
      assert.equal(await to.outcome(), 'full');
      await to.download();
      await syncAll([from, to]);
      await assertSameState([from, to]);
    }
    const [note = 0] = await old.findNotes('');
    assert.equal((await old.note(note)).fields.length, 4);
    await assertServerHolds(fresh, await world.device('third', newer));
  });
});
