import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Changes, MediaChange, SyncDevice } from './sync-device.ts';
import { type StoredState, stateOfBytes } from './stored-state.ts';

/** One thing that a client does. When it was acknowledged, it has happened; before that it has happened whole or not at all. */
export interface Operation {
  readonly name: string;
  readonly kind: 'collection' | 'media';
  /** Rejects when the server refuses or dies. Repeating it is harmless, as it is for real clients. */
  run(device: SyncDevice): Promise<void>;
  /** For `media`. */
  readonly mediaChanges?: readonly MediaChange[];
}

const collections = path.join(import.meta.dirname, '../fixtures/collections');

/** A collection that clients upload. */
export interface UploadFile {
  readonly bytes: Buffer;
  readonly state: StoredState;
}

export async function uploadFile(fixture: string): Promise<UploadFile> {
  const bytes = readFileSync(path.join(collections, fixture));
  return { bytes, state: await stateOfBytes(bytes) };
}

const firstId = 1_500_000_000_000;

/** A short life of an account, in which every kind of change is made: each operation builds on those before. */
export async function lifeOfAnAccount(): Promise<readonly Operation[]> {
  const first = await uploadFile('fresh-empty.anki2');
  const second = await uploadFile('non-ascii-names.anki2');
  return [
    upload('first full upload', first),
    sync('normal sync', { noteIds: [firstId + 1, firstId + 2] }),
    media('media added', [
      ['a.jpg', 'first a'],
      ['ä.png', 'first ä'],
      ['_b.css', 'first b'],
    ]),
    sync('normal sync with names', {
      noteIds: [firstId + 3],
      decks: [{ id: firstId + 10, name: 'Ωmega' }],
      tags: ['new-tag'],
    }),
    media('media replaced, deleted and added', [
      ['a.jpg', 'second a'],
      ['ä.png', null],
      ['日本.gif', 'first 日本'],
    ]),
    sync('normal sync with deletions', { noteIds: [firstId + 4], deletedNoteIds: [firstId + 1] }),
    { name: 'full download', kind: 'collection', run: async (device) => void (await device.download()) },
    upload('second full upload', second),
    sync('normal sync afterwards', { noteIds: [firstId + 5] }),
    media('media deleted', [
      ['a.jpg', null],
      ['_b.css', null],
    ]),
  ];
}

function upload(name: string, { bytes, state }: UploadFile): Operation {
  return { name, kind: 'collection', run: (device) => device.upload(bytes, state) };
}

function sync(name: string, changes: Changes): Operation {
  return { name, kind: 'collection', run: (device) => device.sync(changes) };
}

function media(name: string, mediaChanges: readonly MediaChange[]): Operation {
  return { name, kind: 'media', mediaChanges, run: (device) => device.sendMedia(mediaChanges) };
}
