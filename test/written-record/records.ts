import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import { makeZip } from '../support/media.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Server } from '../support/server.ts';
import { hashMapStyle, LegacyDevice, pythonStyle } from './legacy-device.ts';

/** Something that a client does which cannot be run here, and where it is written down. */
export interface WrittenRecord {
  readonly client: string;
  readonly title: string;
  readonly source: string;
  run(server: Server, user: string): Promise<void>;
}

const androidGraves = 'ankidroid/Anki-Android, libanki/sync/Syncer.java, sync(): the graves go into start';
const androidForm = 'ankidroid/Anki-Android, libanki/sync/HttpSyncer.java, req(): the fields of a HashMap, then data';
const androidMedia = 'ankidroid/Anki-Android, libanki/Media.java, mediaChangesZip(): "" for a deleted file';
const mobileIds = 'ankitects/anki, rslib/src/sync/collection/start.rs: ids as texts are read for old AnkiMobile';
const anki20 = 'dae/anki 2.0, anki/sync.py, HttpSyncer.req(): the form is closed only behind a payload';
const checkText =
  'ankidroid/Anki-Android, libanki/sync/Syncer.java, sanityCheck(): a text under "client"; anki/sync.py of 2.1.15 too';

/** A collection of scheduler 1 made by Anki 2.1.15: what clients of version 8 still open. */
const oldCollection = path.join(import.meta.dirname, '../fixtures/collections/schema11/anki-2.1.15.anki2');
const noChanges = { models: [], decks: [[], []], tags: [] };

/** Uploads the old collection as an old client does, so that there is something to sync with. */
async function uploaded(server: Server, user: string, style = hashMapStyle): Promise<LegacyDevice> {
  const device = new LegacyDevice(server, user, style);
  const { status, body } = await device.form('sync/upload', [
    ['k', device.hostKey],
    ['v', 'ankidroid,2.8.4'],
    ['c', '1'],
    ['data', gzipSync(readFileSync(oldCollection))],
  ]);
  assert.deepEqual([status, body.toString()], [200, 'OK']);
  return device;
}

async function startWith(device: LegacyDevice, graves: unknown): Promise<unknown> {
  return device.sync('start', { minUsn: 0, lnewer: true, graves });
}

/** Ends a sync that changed nothing but graves, and returns what another device is told of them. */
async function finishAndPull(device: LegacyDevice, server: Server): Promise<unknown> {
  await device.sync('applyChanges', { changes: noChanges });
  await device.sync('applyChunk', { chunk: { done: true, revlog: [], cards: [], notes: [] } });
  await device.sync('finish', {});
  const other = new RawClient(server.url, device.hostKey);
  return other.call('start', { minUsn: 0, lnewer: false });
}

export const RECORDS: readonly WrittenRecord[] = [
  {
    client: 'AnkiDroid 2.1 to 2.8 (version 8)',
    title: 'is answered, in whatever order its hash map writes the fields',
    source: androidForm,
    async run(server, user) {
      const device = await uploaded(server, user);
      const meta = await device.sync('meta', { v: 8, cv: 'ankidroid,2.8.4,android' });
      assert.deepEqual(
        { ...(meta as object), mod: 0, scm: 0, ts: 0 },
        {
          mod: 0,
          scm: 0,
          usn: (meta as { usn: number }).usn,
          ts: 0,
          msg: '',
          cont: true,
          hostNum: 0,
          empty: (meta as { empty: boolean }).empty,
          media_usn: 0,
        },
      );
    },
  },
  {
    client: 'AnkiDroid 2.1 to 2.16',
    title: 'sends its deletions inside start and never calls applyGraves',
    source: androidGraves,
    async run(server, user) {
      const device = await uploaded(server, user);
      await startWith(device, { cards: [11, 12], decks: [13], notes: [14] });
      assert.deepEqual(await finishAndPull(device, server), { cards: [11, 12], decks: [13], notes: [14] });
    },
  },
  {
    client: 'AnkiDroid 2.1 to 2.16',
    title: 'may have no deletions to send: graves null',
    source: androidGraves,
    async run(server, user) {
      const device = await uploaded(server, user);
      assert.deepEqual(await startWith(device, null), { cards: [], decks: [], notes: [] });
    },
  },
  {
    client: 'old AnkiMobile',
    title: 'writes the ids of deleted objects as texts',
    source: mobileIds,
    async run(server, user) {
      const device = await uploaded(server, user);
      await startWith(device, { cards: ['9007199254740993', '12'], decks: ['13'], notes: [] });
      const { cards, decks } = (await finishAndPull(device, server)) as { cards: unknown[]; decks: unknown[] };
      assert.deepEqual([cards.length, decks], [2, [13]]);
    },
  },
  {
    client: 'Anki 2.0 and AnkiDroid to 2.8 (version 8)',
    title: 'downloads without a payload and without closing its form',
    source: anki20,
    async run(server, user) {
      const device = await uploaded(server, user, pythonStyle);
      const fields = [
        ['k', device.hostKey],
        ['v', 'ankidesktop,2.0.52,win'],
        ['c', '1'],
      ] as const;
      const { status, body } = await device.form('sync/download', fields, false);
      assert.equal(status, 200);
      assertSchema11(body);
    },
  },
  {
    client: 'desktop before 2.1.28 and AnkiDroid to 2.16',
    title: 'sends a text in place of its counts when its own check fails, and is told that the check failed',
    source: checkText,
    async run(server, user) {
      const device = await uploaded(server, user);
      await startWith(device, null);
      const answer = (await device.sync('sanityCheck2', { client: 'cards had usn = -1' })) as Record<string, unknown>;
      assert.deepEqual([answer['status'], answer['c']], ['bad', 'cards had usn = -1']);
      const after = await device.form('sync/chunk', [
        ['k', device.hostKey],
        ['s', device.sessionKey],
        ['c', '1'],
        ['data', gzipSync('{}')],
      ]);
      assert.equal(after.status, 409, 'nothing of the sync is left');
    },
  },
  {
    client: 'AnkiDroid 2.1 to 2.16',
    title: 'writes an empty text for a deleted media file, and reads an empty text as its hash',
    source: androidMedia,
    async run(server, user) {
      const device = new LegacyDevice(server, user, hashMapStyle);
      const added = makeZip([
        { name: '0', content: 'x' },
        { name: '_meta', content: '[["a.jpg","0"]]' },
      ]);
      assert.deepEqual(await device.media('uploadChanges', added), { data: [1, 1], err: '' });
      const removed = makeZip([{ name: '_meta', content: '[["a.jpg",""]]' }]);
      assert.deepEqual(await device.media('uploadChanges', removed), { data: [1, 2], err: '' });
      assert.deepEqual(await device.media('mediaChanges', { lastUsn: 0 }), { data: [['a.jpg', 2, '']], err: '' });
    },
  },
  {
    client: 'versions below 8 and above 11',
    title: 'are told to update, and the log names the client for the owner',
    source: 'sync-protocol: meta answers 501, which every client shows as "please update"',
    async run(server, user) {
      const device = new LegacyDevice(server, user, pythonStyle);
      for (const v of [5, 7, 12]) {
        const { status } = await device.form('sync/meta', [
          ['k', device.hostKey],
          ['s', device.sessionKey],
          ['c', '1'],
          ['data', gzipSync(JSON.stringify({ v, cv: `ankidroid,2.0.${v}` }))],
        ]);
        assert.equal(status, 501);
      }
      assert.match(server.log, /version 7 of the protocol; the client is ankidroid,2\.0\.7/);
    },
  },
];

function assertSchema11(bytes: Buffer): void {
  const db = new DatabaseSync(':memory:');
  db.deserialize(bytes);
  assert.deepEqual({ ...db.prepare('SELECT ver FROM col').get() }, { ver: 11 });
  assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
  db.close();
}
