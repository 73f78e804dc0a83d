import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { command } from '../backup/commands.ts';
import { packedBackup } from '../backup/wait.ts';
import type { Server } from '../support/server.ts';
import { type StoredState, stateOfBytes } from './stored-state.ts';
import { type Changes, type MediaChange, type MediaState, mediaAfter, type SyncDevice } from './sync-device.ts';

/** One thing that a client does. When it was acknowledged, it has happened; before that it has happened whole or not at all. */
export interface Operation {
  readonly name: string;
  readonly kind: 'collection' | 'media';
  /** Rejects when the server refuses or dies. Repeating it is harmless, as it is for real clients. */
  run(device: SyncDevice, server: Server): Promise<void>;
  /** For `media`. */
  readonly mediaChanges?: readonly MediaChange[];
  /** What the account holds afterwards. */
  after(before: Model): Model;
  /** What else it may hold when the operation was cut off: it has several steps. */
  onTheWay?(before: Model): readonly Model[];
}

/** `new`: one that the server chose, when it restored a backup. */
export type Scm = number | 'new';

/** What an account holds, as far as a client can tell that made all of it. */
export interface Model {
  /** Undefined before the first upload. */
  readonly collection: { readonly scm: Scm; readonly noteIds: ReadonlySet<number> } | undefined;
  readonly media: MediaState;
}

export const nothing: Model = { collection: undefined, media: {} };

/** Ids of all notes in a collection. */
export function noteIdsOf(state: StoredState): Set<number> {
  return new Set((state.tables['notes'] ?? []).map((row) => Number(row.split(' ', 1)[0])));
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
    download('full download'),
    upload('second full upload', second),
    sync('normal sync afterwards', { noteIds: [firstId + 5] }),
    media('media deleted', [
      ['a.jpg', null],
      ['_b.css', null],
    ]),
  ];
}

/**
 * What the owner does whose device sent the wrong collection; then the device gets back what it had. `replaced` is what
 * was there before that, and comes after all of the life of an account.
 */
export function undoing(replaced: Model = nothing): readonly Operation[] {
  const restore = async (_device: SyncDevice, server: Server) => {
    const [user = ''] = server.users;
    const backup = await packedBackup(server, user, 'replaced');
    const { code, stderr } = await command(server, 'restore', user, backup, '--media');
    assert.equal(code, 0, stderr);
  };
  const collection = replaced.collection && { scm: 'new' as const, noteIds: replaced.collection.noteIds };
  return [
    {
      name: 'restore',
      kind: 'collection',
      run: restore,
      after: () => ({ collection, media: replaced.media }),
      onTheWay: ({ media: before }) => [{ collection, media: before }],
    },
    download('full download after the restore'),
    sync('normal sync after the restore', { noteIds: [firstId + 6] }),
  ];
}

/** A full upload. */
export function upload(name: string, { bytes, state }: UploadFile): Operation {
  return {
    name,
    kind: 'collection',
    run: (device) => device.upload(bytes, state),
    after: ({ media }) => ({ collection: { scm: state.scm, noteIds: noteIdsOf(state) }, media }),
  };
}

/** A normal sync. */
export function sync(name: string, changes: Changes): Operation {
  return {
    name,
    kind: 'collection',
    run: (device) => device.sync(changes),
    after: ({ collection, media }) => {
      if (collection === undefined) throw new Error('a normal sync needs a collection');
      const noteIds = new Set([...collection.noteIds, ...(changes.noteIds ?? [])]);
      for (const id of changes.deletedNoteIds ?? []) noteIds.delete(id);
      return { collection: { ...collection, noteIds }, media };
    },
  };
}

/** One message with media. */
export function media(name: string, mediaChanges: readonly MediaChange[]): Operation {
  return {
    name,
    kind: 'media',
    mediaChanges,
    run: (device) => device.sendMedia(mediaChanges),
    after: (before) => ({ ...before, media: mediaAfter(before.media, mediaChanges) }),
  };
}

/** A full download. */
export function download(name: string): Operation {
  return { name, kind: 'collection', run: async (device) => void (await device.download()), after: (before) => before };
}
