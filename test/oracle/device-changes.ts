import type { CardRow, Device } from '../support/device.ts';
import type { Random } from '../support/random.ts';

/** Something that a user does, to be done on one device of each world. The result is compared. */
export type Change = (device: Device) => Promise<unknown>;

/** Looks at a device and decides what exactly to do. Undefined: there is nothing to do it with. */
type Plan = (random: Random, device: Device) => Promise<Change | undefined>;

const deckNames = ['Deck', 'deck', 'Deck::Sub', 'deck::SUB::Deep', 'Straße', 'cafe\u0301', '__proto__', '日本', '10'];
const tagNames = ['tag', 'Tag', 'tag::sub', 'leech', 'größe', 'constructor', '日本'];
const texts = [
  'short',
  '<b>bold</b> &amp; <img src="x.jpg">',
  '123',
  'cafe\u0301',
  '日本 😀',
  'long '.repeat(200),
  '__proto__',
];
const mediaNames = ['x.jpg', 'ä ö.png', '_font.woff2', '日本.gif', 'a.mp3', 'b.mp3'];

/** How often each change is made, and what it is. Those that break the schema, and so lead to a full sync, are rare. */
const plans: Readonly<Record<string, readonly [weight: number, plan: Plan]>> = {
  addNotes: [8, planAddNotes],
  editNote: [6, planEditNote],
  removeNotes: [
    2,
    async (random, device) => withSome(random, await notes(device), 2, (ids) => (d) => d.removeNotes(ids)),
  ],
  removeCards: [
    1,
    async (random, device) => withSome(random, await cards(device), 2, (ids) => (d) => d.removeCards(ids)),
  ],
  answer: [8, planAnswer],
  suspend: [2, async (random, device) => withSome(random, await cards(device), 3, (ids) => (d) => d.suspend(ids))],
  unsuspend: [1, async (random, device) => withSome(random, await cards(device), 3, (ids) => (d) => d.unsuspend(ids))],
  bury: [2, async (random, device) => withSome(random, await cards(device), 3, (ids) => (d) => d.bury(ids))],
  flag: [2, planFlag],
  forget: [1, async (random, device) => withSome(random, await cards(device), 2, (ids) => (d) => d.forget(ids))],
  editCard: [1, planEditCard],
  addDeck: [3, async (random) => withValue(random.pick(deckNames), (name) => (d) => d.addDeck(name))],
  renameDeck: [2, planRenameDeck],
  editDeck: [2, planEditDeck],
  removeDeck: [1, async (random, device) => withOne(random, await decks(device), (id) => (d) => d.removeDeck(id))],
  addOptions: [1, async (random) => withValue(`options ${random.integer(0, 3)}`, (name) => (d) => d.addOptions(name))],
  editOptions: [2, planEditOptions],
  chooseOptions: [1, planChooseOptions],
  removeOptions: [0.15, planRemoveOptions],
  addFilteredDeck: [1, planAddFilteredDeck],
  rebuildFilteredDeck: [1, planFiltered((deck) => (d) => d.rebuildFilteredDeck(deck))],
  emptyFilteredDeck: [1, planFiltered((deck) => (d) => d.emptyFilteredDeck(deck))],
  addNotetype: [0.15, planAddNotetype],
  editNotetype: [2, planEditNotetype],
  addField: [0.15, planAddField],
  removeField: [0.1, planRemoveField],
  addTemplate: [0.15, planAddTemplate],
  removeNotetype: [
    0.2,
    async (random, device) => withOne(random, await notetypes(device), (name) => (d) => d.removeNotetype(name)),
  ],
  changeNotetype: [0.1, planChangeNotetype],
  breakSchema: [0.1, async () => (d) => d.breakSchema()],
  addTags: [
    2,
    async (random, device) =>
      withSome(random, await notes(device), 3, (ids) => withTags(random, (tags) => (d) => d.addTags(ids, tags))),
  ],
  removeTags: [
    1,
    async (random, device) =>
      withSome(random, await notes(device), 3, (ids) => withTags(random, (tags) => (d) => d.removeTags(ids, tags))),
  ],
  renameTag: [1, planRenameTag],
  clearUnusedTags: [0.5, async () => (d) => d.clearUnusedTags()],
  setConfig: [2, planSetConfig],
  removeConfig: [0.5, async (random) => withValue(`key ${random.integer(0, 3)}`, (key) => (d) => d.removeConfig(key))],
  writeMedia: [3, planWriteMedia],
  removeMedia: [
    1,
    async (random, device) =>
      withOne(random, Object.keys(await device.mediaFiles()), (name) => (d) => d.removeMedia(name)),
  ],
};

/** Decides on a change by looking at `device`; it can then be made on any device that is equal to it. */
export async function planChange(random: Random, device: Device): Promise<readonly [name: string, change: Change]> {
  const weights = Object.fromEntries(Object.entries(plans).map(([name, [weight]]) => [name, weight]));
  for (;;) {
    const name = random.weighted(weights);
    const change = await plans[name]?.[1](random, device);
    if (change !== undefined) return [name, change];
  }
}

async function planAddNotes(random: Random): Promise<Change> {
  const wishes = Array.from({ length: random.integer(1, 4) }, () => ({
    // Cloze notes with several cards get their ids by chance.
    notetype: random.pick(['Basic', 'Basic (and reversed card)', 'Basic (type in the answer)']),
    fields: [random.pick(texts), random.pick(texts)],
    deck: random.pick(['Default', ...deckNames]),
    tags: random.some(tagNames, 2),
    guid: `guid ${random.integer(0, 1e9)}`,
  }));
  return (device) => device.addNotes(wishes);
}

async function planEditNote(random: Random, device: Device): Promise<Change | undefined> {
  const fields = { [random.integer(0, 1)]: random.pick(texts) };
  const tags = random.chance(0.3) ? random.some(tagNames, 3) : undefined;
  return withOne(random, await notes(device), (id) => (d) => d.editNote(id, { fields, ...(tags ? { tags } : {}) }));
}

async function planAnswer(random: Random, device: Device): Promise<Change | undefined> {
  const ease = random.pick([1, 2, 3, 3, 4] as const);
  return withOne(
    random,
    await idsOf(device, 'SELECT id FROM cards WHERE queue >= 0 ORDER BY id'),
    (id) => (d) => d.answer(id, ease),
  );
}

async function planFlag(random: Random, device: Device): Promise<Change | undefined> {
  const colour = random.pick([0, 1, 2, 3, 4] as const);
  return withSome(random, await cards(device), 3, (ids) => (d) => d.flag(ids, colour));
}

async function planEditCard(random: Random, device: Device): Promise<Change | undefined> {
  const values: Partial<Record<keyof CardRow, number>> = random.pick([{ due: 5 }, { ivl: 12 }, { factor: 2100 }]);
  return withOne(random, await cards(device), (id) => (d) => d.editCard(id, values as Record<string, number>));
}

async function planRenameDeck(random: Random, device: Device): Promise<Change | undefined> {
  const name = random.pick(deckNames);
  return withOne(random, await decks(device), (id) => (d) => d.renameDeck(id, name));
}

async function planEditDeck(random: Random, device: Device): Promise<Change | undefined> {
  const values = random.pick([
    { desc: 'told <b>again</b>' },
    { collapsed: true },
    { newLimit: 7, reviewLimit: null },
    { desiredRetention: 88 },
    { addon: { 'a key': [1, 2.5, null] } },
  ]);
  return withOne(random, await decks(device), (id) => (d) => d.editDeck(id, values));
}

async function planEditOptions(random: Random, device: Device): Promise<Change | undefined> {
  const values = random.pick([
    { 'new/perDay': 33 },
    { 'rev/ease4': 1.45, 'rev/hardFactor': 1.15 },
    { 'lapse/delays': [5, 20.5] },
    { desiredRetention: 0.87, fsrsParams6: [0.212, 1.2931, 2.3065, 8.2956] },
    { easyDaysPercentages: [1, 1, 0.5, 1, 1, 0, 1] },
    { name: 'options 1' },
  ]);
  return withOne(random, await options(device), (id) => (d) => d.editOptions(id, values));
}

async function planChooseOptions(random: Random, device: Device): Promise<Change | undefined> {
  const chosen = random.pick(await options(device));
  return withOne(random, await decks(device), (id) => (d) => d.chooseOptions(id, chosen));
}

async function planRemoveOptions(random: Random, device: Device): Promise<Change | undefined> {
  const removable = (await options(device)).filter((id) => id !== 1);
  return withOne(random, removable, (id) => (d) => d.removeOptions(id));
}

async function planAddFilteredDeck(random: Random): Promise<Change> {
  const search = random.pick(['deck:Deck', 'is:new', 'tag:leech', '']);
  const name = `Filtered ${random.integer(0, 2)}`;
  return (device) => device.addFilteredDeck(name, search);
}

/** Only decks of this history: others may gather cards in random order. */
function planFiltered(change: (deck: number) => Change): Plan {
  return async (random, device) => {
    const rows = await device.sql('SELECT id, name FROM decks ORDER BY id');
    const filtered = rows.filter(([, name]) => String(name).startsWith('Filtered')).map(([id]) => Number(id));
    return withOne(random, filtered, change);
  };
}

async function planAddNotetype(random: Random): Promise<Change> {
  const name = random.pick(['Type', 'type', 'Größe', '__proto__']);
  const fields = random.pick([
    ['Front', 'Back'],
    ['Frage', 'Antwort', 'ß'],
  ]);
  const templates = random.integer(1, 2);
  return (device) => device.addNotetype(name, fields, templates);
}

async function planEditNotetype(random: Random, device: Device): Promise<Change | undefined> {
  const wish = random.pick([
    { values: { css: `.card { color: ${random.pick(['red', 'blue'])} }` } },
    { values: { sortf: 1 } },
    { fields: { 0: { font: 'Courier', size: 30 } } },
    { templates: { 0: { afmt: '{{FrontSide}}<hr>changed' } } },
  ]);
  return withOne(random, await notetypes(device), (name) => (d) => d.editNotetype(name, wish));
}

async function planAddField(random: Random, device: Device): Promise<Change | undefined> {
  const field = random.pick(['Extra', 'extra', 'Zusatz']);
  return withOne(random, await notetypes(device), (name) => (d) => d.addField(name, field));
}

async function planRemoveField(random: Random, device: Device): Promise<Change | undefined> {
  return withOne(random, await notetypes(device), (name) => (d) => d.removeField(name, 'Extra'));
}

async function planAddTemplate(random: Random, device: Device): Promise<Change | undefined> {
  const question = `{{Front}} ${random.integer(0, 99)}`;
  return withOne(random, await notetypes(device), (name) => (d) => d.addTemplate(name, 'More', question));
}

async function planChangeNotetype(random: Random, device: Device): Promise<Change | undefined> {
  const rows = await idsOf(
    device,
    "SELECT id FROM notes WHERE mid IN (SELECT id FROM notetypes WHERE +name || '' = 'Basic') ORDER BY id",
  );
  return withSome(random, rows, 2, (ids) => (d) => d.changeNotetype(ids, 'Basic (and reversed card)'));
}

async function planRenameTag(random: Random, device: Device): Promise<Change | undefined> {
  const name = random.pick(tagNames);
  return withOne(random, await device.tags(), (tag) => (d) => d.renameTag(tag, name));
}

async function planSetConfig(random: Random): Promise<Change> {
  const key = random.pick(['key 0', 'key 1', 'key 2', 'constructor', 'ключ']);
  const value = random.pick([1, 2.5, 'text', [1, [2]], { nested: { deep: null } }, true]);
  return (device) => device.setConfig(key, value);
}

async function planWriteMedia(random: Random): Promise<Change> {
  const name = random.pick(mediaNames);
  const content = `content ${random.integer(0, 4)}`;
  return (device) => device.writeMedia(name, content);
}

function notes(device: Device): Promise<readonly number[]> {
  return idsOf(device, 'SELECT id FROM notes ORDER BY id');
}

function cards(device: Device): Promise<readonly number[]> {
  return idsOf(device, 'SELECT id FROM cards ORDER BY id');
}

async function decks(device: Device): Promise<readonly number[]> {
  return (await idsOf(device, 'SELECT id FROM decks ORDER BY id')).filter((id) => id !== 1);
}

function options(device: Device): Promise<readonly number[]> {
  return idsOf(device, 'SELECT id FROM deck_config ORDER BY id');
}

/** Those that all histories know; others of the collection keep the ids of their fields to themselves. */
async function notetypes(device: Device): Promise<readonly string[]> {
  return (await device.notetypeNames()).filter((name) => !name.startsWith('Image'));
}

/** Ids beyond 2^53 lose digits on their way here, and are of no use. */
async function idsOf(device: Device, query: string): Promise<readonly number[]> {
  return (await device.sql(query)).map(([id]) => Number(id)).filter(Number.isSafeInteger);
}

function withValue<Value>(value: Value, change: (value: Value) => Change): Change {
  return change(value);
}

function withOne<Value>(
  random: Random,
  values: readonly Value[],
  change: (value: Value) => Change,
): Change | undefined {
  return values.length === 0 ? undefined : change(random.pick(values));
}

function withSome<Value>(
  random: Random,
  values: readonly Value[],
  max: number,
  change: (values: Value[]) => Change,
): Change | undefined {
  const some = random.some(values, max);
  return some.length === 0 ? undefined : change(some);
}

function withTags(random: Random, change: (tags: string) => Change): Change {
  return change(random.some(tagNames, 2).join(' '));
}
