import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { before, suite, test } from 'node:test';
import { collectionDeclarations } from '../exchanges/collection-content.ts';
import { newestClient } from '../support/clients.ts';
import { assertNoFindings, assertSameState } from '../support/compare.ts';
import { Device, nextSecond } from '../support/device.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { type Server, type ServerKind, serverUnderTest, startServer } from '../support/server.ts';
import { downloadAll, syncAll, uploadAll } from '../support/steps.ts';

const user = 'learner';
const password = 'correct horse: battery staple';
const hostKey = createHash('sha1').update(`${user}:${password}`).digest('hex');

/** How a server ends before the other one takes over. */
type End = 'stopped' | 'killed';

suite('the official server and this one take over from each other on the same data folder', {
  concurrency: true,
}, () => {
  before(() => preparePythonEnv(newestClient));
  test('after each was stopped', () => handOver('stopped'));
  test('after each was killed', () => handOver('killed'));
});

async function handOver(end: End): Promise<void> {
  await using home = new Home(end);
  await home.run('official', async () => {
    const phone = await home.newDevice('phone');
    await fillCollection(phone);
    await uploadAll(phone);
    await downloadAll(await home.newDevice('laptop'));
    await home.everybodyWorks('first');
  });
  if (end === 'killed') assert.ok(existsSync(`${home.collection}-wal`), 'the killed server leaves its journal');
  await home.run(serverUnderTest, async () => {
    await home.everybodyWorks('second');
    const phone = home.devices[0];
    assert.equal(await phone?.login(user, password), hostKey, 'logging in gives the key that the devices have');
    // Just before the end something with a name, which takes this server more work than anything else.
    await phone?.addDeck('Geschäftsmäßig::Zuletzt');
    assert.equal(await phone?.outcome(), 'normal');
  });
  if (end === 'stopped') {
    assert.ok(!existsSync(`${home.collection}-wal`), 'the file is alone after a stop');
    const declarations = collectionDeclarations(readFileSync(home.collection)).join('\n');
    assert.equal(
      declarations.match(/collate unicase/g)?.length,
      6,
      'all six tables with names are as Anki declares them',
    );
  }
  await home.checkFile();
  await home.run('official', () => home.everybodyWorks('third'));
  await home.checkFile();
  await home.run(serverUnderTest, () => home.everybodyWorks('fourth'));
  await home.checkFile();
}

/** A data folder and the devices that sync with whatever server has it. */
class Home implements AsyncDisposable {
  readonly devices: Device[] = [];
  readonly #end: End;
  readonly #base = mkdtempSync(path.join(tmpdir(), 'hand-over-'));
  #server: Server | undefined;

  constructor(end: End) {
    this.#end = end;
  }

  get collection(): string {
    return path.join(this.#base, user, 'collection.anki2');
  }

  /** Starts a server of that kind, does something, and ends the server. */
  async run(kind: ServerKind, work: () => Promise<void>): Promise<void> {
    // The other account tells the harness that it is this server that answers.
    const options = { users: ['somebody else'], passwords: 'plain', base: this.#base } as const;
    await using server = await startServer({ ...options, kind, env: { SYNC_USER2: `${user}:${password}` } });
    this.#server = server;
    for (const device of this.devices) await device.connect(server.url);
    await work();
    if (this.#end === 'killed') await server.kill('SIGKILL');
    else await server.stop();
  }

  async newDevice(name: string): Promise<Device> {
    const url = this.#server?.url ?? '';
    const device = await Device.create({ version: newestClient, url, hostKey, name });
    this.devices.push(device);
    return device;
  }

  /** Every device changes things of all kinds, all get them without a full sync, and a new device gets the same. */
  async everybodyWorks(when: string): Promise<void> {
    const [first] = this.devices;
    for (const device of this.devices) {
      await nextSecond(); // Changes of one object within a second would tie.
      await changeThings(device, `${when} on ${device.name}`);
      assert.equal(await device.outcome(), 'normal', `${device.name} needs no full sync`);
      await device.syncMedia();
    }
    await syncAll(this.devices);
    for (const device of this.devices) await device.syncMedia();
    await assertSameState(this.devices);
    const copy = await this.newDevice('copy');
    this.devices.pop();
    await using _ = copy;
    await downloadAll(copy);
    if (first) await assertSameState([first, copy]);
    await assertNoFindings(copy);
    // The download has changed the server's collection once more.
    await syncAll(this.devices);
  }

  /** Anki's own library, with its own order of names, finds the server's file in order. */
  async checkFile(): Promise<void> {
    await using device = await Device.create({
      version: newestClient,
      url: 'http://127.0.0.1:9/',
      hostKey: '',
      name: 'reader',
    });
    await device.kill();
    for (const suffix of ['', '-wal']) {
      if (existsSync(this.collection + suffix)) copyFileSync(this.collection + suffix, device.collectionPath + suffix);
    }
    await device.restart();
    assert.deepEqual(await device.sql('PRAGMA integrity_check'), [['ok']]);
    // A search by the index of names finds every deck.
    assert.deepEqual(
      await device.sql('SELECT count() FROM decks a WHERE NOT EXISTS (SELECT 1 FROM decks b WHERE b.name = a.name)'),
      [[0]],
    );
    await assertNoFindings(device);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const device of this.devices) await device[Symbol.asyncDispose]();
    rmSync(this.#base, { recursive: true, force: true });
  }
}

async function fillCollection(device: Device): Promise<void> {
  for (const name of ['Straße', 'Ärzte', 'öde', 'Zebra', 'äpfel::Ωmega', 'İstanbul']) await device.addDeck(name);
  const notetype = 'Größe und ﬃ';
  await device.addNotetype(notetype, ['Frage', 'Antwort', 'Ⱡ']);
  await device.addNotes(
    Array.from({ length: 40 }, (_, number) => ({
      fields: [`front ${number} ß <img src="file ${number}.jpg">`, `back ${number}`],
      deck: number % 2 === 0 ? 'Straße' : 'Default',
      tags: [`tag${number % 3}`, 'Übung::eins'],
      ...(number % 5 === 0 ? { notetype } : {}),
    })),
  );
  await device.writeMedia('file 1.jpg', 'one');
  await device.writeMedia('ä ö.png', { seed: 1, size: 100_000 });
}

/** Something of every kind. `mark` makes it differ from what others do. */
async function changeThings(device: Device, mark: string): Promise<void> {
  const [{ note, cards }, other] = (await device.addNotes([
    { fields: [`added ${mark}`, 'back'], deck: `Deck ${mark}`, tags: [`Tag::${mark.replaceAll(' ', '')}`] },
    { fields: [`removed ${mark}`, 'back'] },
  ])) as [{ note: number; cards: number[] }, { note: number }];
  await device.editNote(note, { fields: { 1: `edited ${mark}` } });
  for (const card of cards) await device.answer(card, 3);
  await device.addOptions(`Options ${mark}`);
  await device.editNotetype('Basic', { values: { css: `/* ${mark} */` } });
  await device.setConfig(`key ${mark}`, { value: mark });
  await device.writeMedia(`${mark}.txt`, mark);
  await device.writeMedia('replaced.txt', mark);
  if (mark.startsWith('second')) await device.removeMedia('file 1.jpg').catch(() => undefined);
  await device.removeNotes([other.note]);
}
