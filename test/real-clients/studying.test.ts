import assert from 'node:assert/strict';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type ClientVersion, clientVersions } from '../support/clients.ts';
import { assertSameState } from '../support/compare.ts';
import { type Device, nextSecond } from '../support/device.ts';
import { hoursWest } from '../support/environment.ts';
import { describeScenarios, type World } from '../support/scenario.ts';
import { assertServerHolds, pairInSync, syncAll } from '../support/steps.ts';

const timeZoneIsSilent: readonly ClientVersion[] = ['2.1.15', '2.1.40'];

const fiveNotes = [1, 2, 3, 4, 5].map((n) => ({ fields: [`question ${n}`, `answer ${n}`] }));

/** What the window does with a deck that is opened: early releases look only then whether a new day has begun. */
async function openDeck(device: Device): Promise<void> {
  // A server counts the days of early releases in UTC, unless it is told the time zone as later ones do by themselves.
  if (timeZoneIsSilent.includes(device.version)) await device.setConfig('localOffset', hoursWest(new Date()) * 60);
  await device.nextCard('Default');
}

/** Lets a day pass for everybody: days are counted from the creation of the collection, which is a day earlier now. */
async function makeOlder(world: World, devices: readonly Device[]): Promise<void> {
  await world.server.stop();
  const collection = new DatabaseSync(path.join(world.server.base, world.user, 'collection.anki2'));
  collection.exec('UPDATE col SET crt = crt - 86400');
  collection.close();
  await world.server.start();
  for (const device of devices) await device.makeOlder(1);
}

/** The first card of each note, in the order in which the notes were added. */
async function firstCards(device: Device): Promise<readonly number[]> {
  const cards: number[] = [];
  for (const note of await device.findNotes('')) {
    const [card] = await device.cardIds(note);
    if (card !== undefined) cards.push(card);
  }
  return cards;
}

const withFsrs = { clients: clientVersions(({ generation }) => generation === 'C') };

describeScenarios('Studying', import.meta.filename, ({ scenario }) => {
  scenario('reviews on two devices add up to one history', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, fiveNotes);
    const [a = 0, b = 0, c = 0, d = 0] = await firstCards(phone);
    for (const ease of [3, 3, 1, 4] as const) await phone.answer(a, ease);
    await phone.answer(b, 4);
    await nextSecond(); // The deck counts today's answers: the newer count stands, of two from one second either.
    await laptop.answer(c, 2);
    await laptop.answer(d, 3);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.deepEqual(await laptop.sql('select count() from revlog'), [[7]]);
    assert.equal((await laptop.card(a)).reps, 4);
    assert.equal((await phone.card(c)).reps, 1);
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('the same card answered on two devices: both reviews count, the newer answer stands', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, fiveNotes);
    const [card = 0] = await firstCards(phone);
    await phone.answer(card, 4);
    await nextSecond();
    await laptop.answer(card, 1);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.deepEqual(await phone.sql('select ease from revlog order by id'), [[4], [1]]);
    assert.equal((await phone.card(card)).type, 1, 'the card is being learned, as the newer answer says');
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('cards in a filtered deck are in it on both devices, and return from it', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      ...fiveNotes.map((note) => ({ ...note, tags: ['cram'] })),
      { fields: ['not this one', ''] },
    ]);
    const filtered = await phone.addFilteredDeck('Cramming', 'tag:cram');
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.deepEqual(await laptop.sql('select count() from cards where did = ? and odid = 1', [filtered]), [[5]]);
    const [card = 0] = await firstCards(laptop);
    await nextSecond();
    await laptop.answer(card, 3);
    await syncAll([laptop, phone]);
    await assertSameState([phone, laptop]);
    await nextSecond();
    await phone.emptyFilteredDeck(filtered);
    await phone.removeDeck(filtered);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.deepEqual(await laptop.sql('select count() from cards where odid != 0'), [[0]]);
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('suspended, buried and flagged cards are so on both devices, and back', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, fiveNotes, openDeck);
    const [a = 0, b = 0, c = 0] = await firstCards(phone);
    await phone.suspend([a]);
    await phone.bury([b]);
    await phone.flag([c], 2);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await laptop.card(a)).queue, -1);
    assert.ok((await laptop.card(b)).queue < -1);
    assert.equal((await laptop.card(c)).flags, 2);
    await nextSecond();
    await laptop.unsuspend([a]);
    await laptop.unbury('Default');
    await laptop.flag([c], 0);
    await syncAll([laptop, phone]);
    await assertSameState([phone, laptop]);
    for (const card of [a, b]) assert.equal((await phone.card(card)).queue, 0);
    assert.equal((await phone.card(c)).flags, 0);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('a card that is forgotten starts anew on both devices, with its history', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, fiveNotes);
    const [card = 0] = await firstCards(phone);
    for (const ease of [3, 3, 3] as const) await phone.answer(card, ease);
    await syncAll([phone, laptop]);
    await nextSecond();
    await laptop.forget([card]);
    await syncAll([laptop, phone]);
    await assertSameState([phone, laptop]);
    assert.equal((await phone.card(card)).type, 0);
    assert.ok(((await phone.sql('select count() from revlog'))[0]?.[0] as number) >= 3);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('with FSRS, what a device has learned about a card is on the other one, too', withFsrs, async (world) => {
    const [phone, laptop] = await pairInSync(world, fiveNotes);
    const [card = 0] = await firstCards(phone);
    await phone.setConfig('fsrs', true);
    await phone.editOptions(1, { desiredRetention: 0.87 });
    await phone.answer(card, 3);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    const { facts } = await laptop.state();
    assert.ok(Number(facts.get(`cards/${card}/data/s`)) > 0, 'the stability of its memory');
    assert.equal(facts.get('options/1/desiredRetention'), '0.87');
    await nextSecond();
    await laptop.answer(card, 4);
    await syncAll([laptop, phone]);
    await assertSameState([phone, laptop]);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('buried cards come back everywhere when the day rolls over', {}, async (world) => {
    const own = await world.ownServer();
    const [phone, laptop] = await pairInSync(own, fiveNotes, openDeck);
    const [a = 0, b = 0] = await firstCards(phone);
    await phone.bury([a, b]);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.ok((await laptop.card(a)).queue < -1);
    await makeOlder(own, [phone, laptop]);
    for (const device of [phone, laptop]) await openDeck(device);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    for (const device of [phone, laptop]) {
      for (const card of [a, b]) assert.equal((await device.card(card)).queue, 0, `not buried on the ${device.name}`);
    }
    await assertServerHolds(laptop, await own.device('third'));
  });
});
