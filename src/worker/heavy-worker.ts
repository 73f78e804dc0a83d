import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Checked, checkBackup, checkCopy } from '../backup/check.ts';
import { compareMedia, type IndexedFile, type MediaDifferences } from '../backup/compare-media.ts';
import { dropIfLive } from '../backup/keep-replaced.ts';
import { copyCollection, type Packing, packCopy, packPending } from '../backup/pack.ts';
import { prepareRestore, type Restorable } from '../backup/restore.ts';
import { checkIn } from '../collection/check-in.ts';
import type { Preparation } from '../collection/collection-file.ts';
import { damageIn } from '../collection/damage-in.ts';
import { makeSchema11Snapshot } from '../collection/legacy-snapshot.ts';
import { createCollection } from '../collection/new-collection.ts';
import { type CollectionFacts, readFacts } from '../collection/stored-file.ts';
import { upgradeStoredCollection } from '../collection/upgrade-stored.ts';
import { prepareUpload, type UploadVerdict } from '../collection/validate-upload.ts';
import type { UserFolder } from '../user-folder.ts';
import { serveCalls } from './serve-calls.ts';

/** Work on whole files that nobody else has open. It may take seconds, so it has threads of its own. */
export interface HeavyCalls {
  /** Makes a collection usable: creates, upgrades or checks it in. */
  prepare(argument: { folder: UserFolder; preparation: Preparation }): Promise<void>;
  /** Restores the canonical form of a file in working form. */
  checkIn(argument: { path: string }): Promise<void>;
  /** Checks an uploaded file and makes it ready to be stored. */
  prepareUpload(argument: { path: string }): Promise<UploadVerdict>;
  /** Copies a collection that stands still, with what lies beside it. */
  copyCollection(argument: { source: string; target: string }): Promise<void>;
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
  /** Writes a canonical schema 18 file as schema 11, for legacy clients. */
  makeSchema11Snapshot(argument: { source: string; target: string }): Promise<void>;
}

serveCalls<HeavyCalls>({
  async prepare({ folder, preparation }) {
    switch (preparation) {
      case 'create':
        mkdirSync(path.dirname(folder.collection), { recursive: true });
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
  prepareUpload: ({ path: file }) => prepareUpload(file),
  copyCollection: async ({ source, target }) => copyCollection(source, target),
  packCopy: ({ folder, copy, id }) => packCopy(folder, copy, id),
  packPending: ({ folder, id }) => packPending(folder, id),
  dropIfLive: async ({ folder, pending }) => dropIfLive(folder, pending),
  prepareRestore: ({ folder, backup }) => prepareRestore(folder, backup),
  checkCopy: ({ copy }) => checkCopy(copy),
  checkBackup: ({ folder, backup }) => checkBackup(folder, backup),
  damageIn: ({ path: file }) => damageIn(file),
  readFacts: async ({ path: file }) => readFacts(file),
  compareMedia: ({ folder, files }) => compareMedia(folder, files),
  makeSchema11Snapshot: ({ source, target }) => makeSchema11Snapshot(source, target),
});
