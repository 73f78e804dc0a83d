import assert from 'node:assert/strict';
import { assertSameState } from '../support/compare.ts';
import { nextSecond } from '../support/device.ts';
import { describeScenarios } from '../support/scenario.ts';
import { assertServerHolds, pairInSync, syncAll } from '../support/steps.ts';

/** A device that gets a tag's new name learns nothing of the old one's end: the tag list stays, the notes are equal. */
const unusedTags = [/^tags\/verbs$/];

describeScenarios('Changes of every kind of object', import.meta.filename, ({ scenario }) => {
  scenario('what is added on two devices is there on both', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    await phone.addNote({ fields: ['from the phone', 'x'], deck: 'Phone::Deep', tags: ['phone', 'both'] });
    await phone.addNotetype('Phone type', ['A', 'B', 'C'], 2);
    await phone.addNote({ fields: ['a', 'b', 'c'], notetype: 'Phone type' });
    await phone.addOptions('Phone options');
    await phone.setConfig('fromPhone', { nested: [1, null, 'text'] });
    await laptop.addNote({ fields: ['from the laptop', 'y'], deck: 'Laptop', tags: ['laptop', 'both'] });
    await laptop.addNotetype('Laptop type', ['A', 'B'], 1);
    await laptop.addOptions('Laptop options');
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await laptop.findNotes('')).length, 4);
    for (const tag of ['phone', 'laptop', 'both']) assert.ok((await phone.tags()).includes(tag));
    for (const name of ['Phone type', 'Laptop type']) assert.ok((await phone.notetypeNames()).includes(name));
    for (const name of ['Phone::Deep', 'Laptop']) assert.ok((await phone.deckNames()).includes(name));
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('edits of different objects on two devices arrive on both', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      { fields: ['first', 'x'], deck: 'One' },
      { fields: ['second', 'y'], deck: 'Two', tags: ['old'] },
    ]);
    const [first = 0, second = 0] = await phone.findNotes('');
    const one = await phone.addDeck('One');
    await phone.editNote(first, { fields: { 0: 'first, edited' }, tags: ['new'] });
    await phone.editDeck(one, { desc: 'described on the phone' });
    await phone.editOptions(1, { 'new/perDay': 7 });
    await laptop.editNote(second, { fields: { 1: 'y, edited' } });
    await laptop.editNotetype('Basic', { values: { css: '.card { color: green }' } });
    const [card = 0] = await laptop.cardIds(second);
    await laptop.editCard(card, { due: 42 });
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.deepEqual((await laptop.note(first)).fields, ['first, edited', 'x']);
    assert.deepEqual((await phone.note(second)).fields, ['second', 'y, edited']);
    assert.equal((await phone.card(card)).due, 42);
    const { facts } = await laptop.state();
    assert.equal(facts.get(`decks/${one}/desc`), '"described on the phone"');
    assert.equal(facts.get('options/1/new/perDay'), '7');
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('of two edits of one note and one card, the newer one stands on both devices', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      { fields: ['phone is newer', '?'] },
      { fields: ['laptop is newer', '?'] },
    ]);
    const [one = 0, two = 0] = await phone.findNotes('');
    const [[cardOne = 0], [cardTwo = 0]] = [await phone.cardIds(one), await phone.cardIds(two)];
    await laptop.editNote(one, { fields: { 1: 'laptop' } });
    await laptop.editCard(cardOne, { due: 11 });
    await phone.editNote(two, { fields: { 1: 'phone' } });
    await phone.editCard(cardTwo, { due: 12 });
    await nextSecond();
    await phone.editNote(one, { fields: { 1: 'phone' } });
    await phone.editCard(cardOne, { due: 21 });
    await laptop.editNote(two, { fields: { 1: 'laptop' } });
    await laptop.editCard(cardTwo, { due: 22 });
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    for (const device of [phone, laptop]) {
      assert.deepEqual((await device.note(one)).fields, ['phone is newer', 'phone']);
      assert.deepEqual((await device.note(two)).fields, ['laptop is newer', 'laptop']);
      assert.equal((await device.card(cardOne)).due, 21);
      assert.equal((await device.card(cardTwo)).due, 22);
    }
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('of two edits of one deck, its options and a notetype, the newer one stands', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [{ fields: ['a', 'b'], deck: 'Shared' }]);
    const deck = await phone.addDeck('Shared');
    await laptop.editDeck(deck, { desc: 'older' });
    await laptop.editOptions(1, { 'rev/perDay': 111 });
    await phone.editNotetype('Basic', { values: { css: '.card { color: red }' } });
    await nextSecond();
    await phone.editDeck(deck, { desc: 'newer' });
    await phone.editOptions(1, { 'rev/perDay': 222 });
    await laptop.editNotetype('Basic', { values: { css: '.card { color: blue }' } });
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    const { facts } = await laptop.state();
    assert.equal(facts.get(`decks/${deck}/desc`), '"newer"');
    assert.equal(facts.get('options/1/rev/perDay'), '222');
    const css = [...facts].find(([path, value]) => path.endsWith('/css') && value.includes('color: blue'));
    assert.ok(css, 'the newer style sheet stands');
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('what is deleted on either device is gone on both', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      { fields: ['goes by the phone', ''] },
      { fields: ['goes by the laptop', ''] },
      { fields: ['stays', ''] },
      { fields: ['goes with its deck', ''], deck: 'Doomed' },
    ]);
    const [one = 0, two = 0] = await phone.findNotes('');
    const doomed = await phone.addDeck('Doomed');
    await phone.removeNotes([one]);
    await laptop.removeNotes([two]);
    await laptop.removeDeck(doomed);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await phone.findNotes('')).length, 1);
    assert.ok(!(await phone.deckNames()).includes('Doomed'));
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('what one device deletes and the other edits is gone on both', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      { fields: ['deleted, then edited', ''] },
      { fields: ['edited, then deleted', ''] },
      { fields: ['stays', ''] },
    ]);
    const [one = 0, two = 0] = await phone.findNotes('');
    await phone.removeNotes([one]);
    await phone.editNote(two, { fields: { 1: 'edited' } });
    await nextSecond();
    await laptop.editNote(one, { fields: { 1: 'edited' } });
    await laptop.removeNotes([two]);
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    assert.equal((await phone.findNotes('')).length, 1);
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('renamed decks and tags have their new names on both devices', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [
      { fields: ['a', ''], deck: 'Parent::Child::Grandchild', tags: ['verbs', 'kept'] },
      { fields: ['b', ''], deck: 'Parent', tags: ['verbs'] },
    ]);
    const parent = await phone.addDeck('Parent');
    await phone.renameDeck(parent, 'Ancestor');
    await laptop.renameTag('verbs', 'grammar');
    await laptop.clearUnusedTags();
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop], { except: unusedTags });
    assert.ok((await laptop.deckNames()).includes('Ancestor::Child::Grandchild'));
    assert.ok(!(await laptop.deckNames()).some((name) => name.startsWith('Parent')));
    assert.equal((await phone.findNotes('tag:grammar')).length, 2);
    assert.equal((await phone.findNotes('tag:verbs')).length, 0);
    await assertServerHolds(phone, await world.device('third'), { except: unusedTags });
  });

  scenario('notetype changes that keep the schema need no full sync', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world, [{ fields: ['front', 'back'] }]);
    await phone.editNotetype('Basic', {
      values: { css: '.card { font-size: 30px }' },
      fields: { 1: { font: 'Noto Serif', size: 28, rtl: true } },
      templates: { 0: { qfmt: 'Q: {{Front}}', afmt: 'A: {{Back}}' } },
    });
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    const { facts } = await laptop.state();
    const values = [...facts.values()];
    assert.ok(values.includes('"Q: {{Front}}"') && values.includes('"Noto Serif"'));
    await assertServerHolds(laptop, await world.device('third'));
  });

  scenario('a setting removed on one device is removed on the other', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    await phone.setConfig('addon', { on: true });
    await phone.setConfig('stays', 'here');
    await syncAll([phone, laptop]);
    await nextSecond();
    await laptop.removeConfig('addon');
    await syncAll([laptop, phone]);
    await assertSameState([phone, laptop]);
    const config = await phone.config();
    assert.deepEqual([config.addon, config.stays], [undefined, 'here']);
    await assertServerHolds(phone, await world.device('third'));
  });

  scenario('names and values that look like parts of a program are kept as they are', {}, async (world) => {
    const [phone, laptop] = await pairInSync(world);
    for (const name of ['__proto__', 'constructor', 'toString', '10']) {
      await phone.addNote({ fields: [name, name], deck: name, tags: [name] });
      await phone.setConfig(name, JSON.parse('{"__proto__": {"x": 1}, "10": 1, "2": 2, "": 3}'));
    }
    await laptop.addNotetype('constructor', ['__proto__', 'toString'], 1);
    await laptop.addOptions('__proto__');
    await syncAll([phone, laptop]);
    await assertSameState([phone, laptop]);
    const { facts } = await laptop.state();
    assert.equal(facts.get('config/__proto__/__proto__/x'), '1');
    assert.ok((await phone.notetypeNames()).includes('constructor'));
    await assertServerHolds(phone, await world.device('third'));
  });
});
