import { mkdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import path from 'node:path';
import type { Checked } from '../backup/check.ts';
import type { IndexedFile, MediaDifferences } from '../backup/compare-media.ts';
import type { Packing } from '../backup/pack.ts';
import type { Restorable } from '../backup/restore.ts';
import type { Preparation } from '../collection/collection-file.ts';
import type { CollectionFacts } from '../collection/stored-file.ts';
import type { UploadVerdict } from '../collection/validate-upload.ts';
import type { UserFolder } from '../user-folder.ts';
import { serveCalls, workerLog } from './serve-calls.ts';

/** Work on whole files that nobody else has open. It may take seconds, so it has threads of its own. */
export interface HeavyCalls {
  /** Makes a collection usable: creates, upgrades or checks it in. */
  prepare(argument: { folder: UserFolder; preparation: Exclude<Preparation, 'rescue'> }): Promise<void>;
  /** Restores the canonical form of a file in working form. */
  checkIn(argument: { path: string }): Promise<void>;
  /** Loads what it takes to check a file that is about to come or to go. */
  warmUp(argument: { work: 'upload' | 'download' }): Promise<void>;
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

// Loaded when needed: the formats alone take 25 MB and 70 ms, and most work does without them.
serveCalls<HeavyCalls>({
  async prepare({ folder, preparation }) {
    switch (preparation) {
      case 'create': {
        mkdirSync(path.dirname(folder.collection), { recursive: true });
        const { noticeMissingCollection } = await import('../backup/missing-collection.ts');
        noticeMissingCollection(folder, Date.now(), workerLog());
        const { createCollection } = await import('../collection/new-collection.ts');
        return createCollection(folder.collection, { nowMs: Date.now() });
      }
      case 'upgrade':
        return (await import('../collection/upgrade-stored.ts')).upgradeStoredCollection(folder);
      case 'check in':
        return (await import('../collection/check-in.ts')).checkIn(folder.collection);
      default:
        return preparation satisfies never;
    }
  },
  async warmUp({ work }) {
    if (work === 'upload') await import('../collection/validate-upload.ts');
    else await import('../collection/damage-in.ts');
  },
  async checkIn({ path: file }) {
    return (await import('../collection/check-in.ts')).checkIn(file);
  },
  async prepareUpload({ path: file, shared }) {
    const { SharedIndexCheck } = await import('../collection/shared-index-check.ts');
    const { prepareUpload } = await import('../collection/validate-upload.ts');
    return prepareUpload(file, shared && new SharedIndexCheck(shared));
  },
  async helpCheckIndexes({ path: file, shared }) {
    const { SharedIndexCheck } = await import('../collection/shared-index-check.ts');
    const { helpCheckIndexes } = await import('../collection/help-check-indexes.ts');
    helpCheckIndexes(file, new SharedIndexCheck(shared));
  },
  async copyCollection({ source, target, stop }) {
    const { StopSign } = await import('../storage/stoppable-copy.ts');
    return (await import('../backup/pack.ts')).copyCollection(source, target, new StopSign(stop));
  },
  async packCopy({ folder, copy, id }) {
    return (await import('../backup/pack.ts')).packCopy(folder, copy, id);
  },
  async packPending({ folder, id }) {
    return (await import('../backup/pack.ts')).packPending(folder, id);
  },
  async dropIfLive({ folder, pending }) {
    return (await import('../backup/keep-replaced.ts')).dropIfLive(folder, pending);
  },
  async prepareRestore({ folder, backup }) {
    return (await import('../backup/restore.ts')).prepareRestore(folder, backup);
  },
  async checkCopy({ copy }) {
    return (await import('../backup/check.ts')).checkCopy(copy);
  },
  async checkBackup({ folder, backup }) {
    return (await import('../backup/check.ts')).checkBackup(folder, backup);
  },
  async damageIn({ path: file }) {
    return (await import('../collection/damage-in.ts')).damageIn(file);
  },
  async readFacts({ path: file }) {
    return (await import('../collection/stored-file.ts')).readFacts(file);
  },
  async damageInTrash(folder) {
    return (await import('../backup/trashed-media.ts')).damageInTrash(folder);
  },
  async compareMedia({ folder, files }) {
    return (await import('../backup/compare-media.ts')).compareMedia(folder, files);
  },
  async makeSchema11Snapshot({ source, target }) {
    return (await import('../collection/legacy-snapshot.ts')).makeSchema11Snapshot(source, target);
  },
});
