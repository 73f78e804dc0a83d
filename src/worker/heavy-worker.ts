import { mkdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import path from 'node:path';
import { type Checked, checkBackup, checkCopy } from '../backup/check.ts';
import { compareMedia, type IndexedFile, type MediaDifferences } from '../backup/compare-media.ts';
import { dropIfLive } from '../backup/keep-replaced.ts';
import { noticeMissingCollection } from '../backup/missing-collection.ts';
import { copyCollection, type Packing, packCopy, packPending } from '../backup/pack.ts';
import { prepareRestore, type Restorable } from '../backup/restore.ts';
import { damageInTrash } from '../backup/trashed-media.ts';
import { checkIn } from '../collection/check-in.ts';
import type { Preparation } from '../collection/collection-file.ts';
import { damageIn } from '../collection/damage-in.ts';
import { helpCheckIndexes } from '../collection/help-check-indexes.ts';
import { makeSchema11Snapshot } from '../collection/legacy-snapshot.ts';
import { createCollection } from '../collection/new-collection.ts';
import { SharedIndexCheck } from '../collection/shared-index-check.ts';
import { type CollectionFacts, readFacts } from '../collection/stored-file.ts';
import { upgradeStoredCollection } from '../collection/upgrade-stored.ts';
import { prepareUpload, type UploadVerdict } from '../collection/validate-upload.ts';
import { StopSign } from '../storage/stoppable-copy.ts';
import type { UserFolder } from '../user-folder.ts';
import { serveCalls, workerLog } from './serve-calls.ts';

/** Work on whole files that nobody else has open. It may take seconds, so it has threads of its own. */
export interface HeavyCalls {
  /** Makes a collection usable: creates, upgrades or checks it in. */
  prepare(argument: { folder: UserFolder; preparation: Exclude<Preparation, 'rescue'> }): Promise<void>;
  /** Restores the canonical form of a file in working form. */
  checkIn(argument: { path: string }): Promise<void>;
  /** Loads what it takes to check a file that is about to come. */
  warmUp(argument: undefined): Promise<void>;
  /** Checks an uploaded file and makes it ready to be stored. Another thread may help, see `SharedIndexCheck`. */
  prepareUpload(argument: { path: string; shared?: SharedArrayBuffer }): Promise<UploadVerdict>;
  /** See the function of that name. */
  helpCheckIndexes(argument: { path: string; shared: SharedArrayBuffer }): Promise<void>;
  /** Copies a collection that stands still, with what lies beside it. False when it was stopped by the sign. */
  copyCollection(argument: { source: string; target: string; stop: SharedArrayBuffer }): Promise<boolean>;
  /** Packs a private copy, which is gone afterwards. */
  packCopy(argument: { folder: UserFolder; copy: string; id: string }): Promise<Packing>;
  /** Packs what an upload or a restore has replaced. */
  packPending(argument: { folder: UserFolder; id: string }): Promise<Packing>;
  /** See `dropIfLive`; in the lane of the user. */
  dropIfLive(argument: { folder: UserFolder; pending: string }): Promise<boolean>;
  /** Unpacks and checks a backup. */
  prepareRestore(argument: { folder: UserFolder; backup: string }): Promise<Restorable>;
  /** Checks a private copy of a collection, which is gone afterwards. */
  checkCopy(argument: { copy: string }): Promise<Checked>;
  /** Can the backup be unpacked, and does it hold what it says? */
  checkBackup(argument: { folder: UserFolder; backup: string }): Promise<Checked>;
  /** See the function of that name. */
  damageIn(argument: { path: string }): Promise<string | undefined>;
  /** Reads the facts of a collection that nobody changes meanwhile. */
  readFacts(argument: { path: string }): Promise<CollectionFacts>;
  /** Compares the media folder with the index. */
  compareMedia(argument: { folder: UserFolder; files: readonly IndexedFile[] }): Promise<MediaDifferences>;
  /** See the function of that name. */
  damageInTrash(folder: UserFolder): Promise<string[]>;
  /** Writes a canonical schema 18 file as schema 11, for legacy clients. */
  makeSchema11Snapshot(argument: { source: string; target: string }): Promise<void>;
}

/** How far work on whole files steps back behind answers to messages: "nice" of this thread. */
const niceness = 5;
// Linux alone has a niceness for every thread; elsewhere this would slow the whole process down.
try {
  if (process.platform === 'linux') setPriority(niceness);
} catch {
  // A sandbox may forbid it, and then work on files and answers share the processor evenly.
}

serveCalls<HeavyCalls>({
  async prepare({ folder, preparation }) {
    switch (preparation) {
      case 'create':
        mkdirSync(path.dirname(folder.collection), { recursive: true });
        noticeMissingCollection(folder, Date.now(), workerLog());
        return createCollection(folder.collection, { nowMs: Date.now() });
      case 'upgrade':
        return upgradeStoredCollection(folder);
      case 'check in':
        return checkIn(folder.collection);
      default:
        return preparation satisfies never;
    }
  },
  checkIn: ({ path: file }) => checkIn(file),
  async warmUp() {
    const { loadUnicaseSqlite } = await import('../collection/wasm/unicase-database.ts');
    await loadUnicaseSqlite();
  },
  prepareUpload: ({ path: file, shared }) => prepareUpload(file, shared && new SharedIndexCheck(shared)),
  helpCheckIndexes: async ({ path: file, shared }) => helpCheckIndexes(file, new SharedIndexCheck(shared)),
  copyCollection: async ({ source, target, stop }) => copyCollection(source, target, new StopSign(stop)),
  packCopy: ({ folder, copy, id }) => packCopy(folder, copy, id),
  packPending: ({ folder, id }) => packPending(folder, id),
  dropIfLive: async ({ folder, pending }) => dropIfLive(folder, pending),
  prepareRestore: ({ folder, backup }) => prepareRestore(folder, backup),
  checkCopy: ({ copy }) => checkCopy(copy),
  checkBackup: ({ folder, backup }) => checkBackup(folder, backup),
  damageIn: ({ path: file }) => damageIn(file),
  readFacts: async ({ path: file }) => readFacts(file),
  damageInTrash,
  compareMedia: ({ folder, files }) => compareMedia(folder, files),
  makeSchema11Snapshot: ({ source, target }) => makeSchema11Snapshot(source, target),
});
