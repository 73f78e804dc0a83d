import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ClientVersion, newestClient } from '../support/clients.ts';
import type { Device } from '../support/device.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { startServer } from '../support/server.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';
import { lineOf, summariesIn, summariesOf } from './log-reader.ts';

/** What each release calls itself, and its own way to send what was studied. */
const CLIENTS = [
  { version: newestClient, words: 'desktop 26.09.3 on linux', collection: '147.5 kB', download: '147.5 kB' },
  { version: '2.1.15', words: 'desktop 2.1.15 on linux', collection: '65.5 kB', download: '135.2 kB' },
] as const satisfies readonly { readonly version: ClientVersion; readonly [key: string]: string }[];

/** Studies, writes and syncs on two devices, as a user would. */
async function live(phone: Device, laptop: Device): Promise<void> {
  await phone.useSchedulerForAll();
  const [added] = await phone.addNotes([{ fields: ['one', ''] }, { fields: ['two', ''] }]);
  assert.ok(added !== undefined);
  await phone.writeMedia('sound.mp3', { seed: 1, size: 1_000_000 });
  await phone.writeMedia('picture.jpg', { seed: 2, size: 234_000 });
  await uploadAll(phone);
  await downloadAll(laptop);
  await phone.answer(added.cards[0] ?? 0, 3);
  await phone.addNote({ fields: ['three', ''], deck: 'Second', tags: ['new'] });
  await phone.sync();
  await laptop.sync();
  await laptop.sync(); // Has nothing to tell or to hear, so this asks for `meta` only.
  await laptop.removeNotes([added.note]);
  await laptop.sync();
  await phone.removeMedia('sound.mp3');
  await phone.syncMedia();
}

describe('The log of real syncs', () => {
  for (const { version, words, collection, download } of CLIENTS) {
    test(`Anki ${version}: the log has one line for each sync, which says what was moved`, async (context) => {
      const client = await preparePythonEnv(version);
      if (client.kind === 'missing') return context.skip(`Anki ${version} ${client.reason}`);
      await using server = await startServer({ kind: 'ours', users: ['ann'] });
      await using phone = await server.device({ version });
      await using laptop = await server.device({ version });
      await live(phone, laptop);
      await lineOf(server, /deleted 1/);
      assert.deepEqual(summariesIn(server.log), [
        `ann: ${words} uploaded the whole collection: 2 notes, 2 cards, 0 reviews, ${collection}, N s`,
        `ann: ${words} synced media: sent 2 files, 1.2 MB, N s`,
        `ann: ${words} downloaded the whole collection: 2 notes, 2 cards, 0 reviews, ${download}, N s`,
        `ann: ${words} synced media: got 2 files, 1.2 MB, N s`,
        `ann: ${words} synced: sent 1 review, 2 cards, 1 note, 2 decks, 1 tag, N s`,
        `ann: ${words} synced: got 1 review, 2 cards, 1 note, 2 decks, 1 tag, N s`,
        `ann: ${words} synced: sent 2 deletions, N s`,
        `ann: ${words} synced media: deleted 1, N s`,
      ]);
      assert.equal(summariesOf(server.log).length, 8, 'nothing else looks like a summary');
    });
  }
});
