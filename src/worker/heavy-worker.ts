import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { checkIn } from '../collection/check-in.ts';
import type { Preparation } from '../collection/collection-file.ts';
import { makeSchema11Snapshot } from '../collection/legacy-snapshot.ts';
import { createCollection } from '../collection/new-collection.ts';
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
  makeSchema11Snapshot: ({ source, target }) => makeSchema11Snapshot(source, target),
});
