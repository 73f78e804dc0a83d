import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cloneFile, replaceFile } from '../storage/replace-file.ts';
import type { UserFolder } from '../user-folder.ts';
import { takeInWal } from './stored-file.ts';
import { prepareUpload } from './validate-upload.ts';

/**
 * Brings a stored collection of an older schema to schema 18: official servers leave schema 11 behind after a download by
 * an old client. The work is done on a copy that then takes the file's place; throws when the file is damaged.
 */
export async function upgradeStoredCollection(folder: UserFolder): Promise<void> {
  mkdirSync(folder.incoming, { recursive: true });
  const copy = path.join(folder.incoming, `upgrade-${randomUUID()}.anki2`);
  takeInWal(folder.collection);
  try {
    cloneFile(folder.collection, copy);
    const verdict = await prepareUpload(copy);
    if (verdict.kind === 'refused') throw new Error(`Cannot upgrade ${folder.collection}: ${verdict.reason}`);
    replaceFile(copy, folder.collection);
  } finally {
    rmSync(copy, { force: true });
  }
}
