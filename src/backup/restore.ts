import { rmSync } from 'node:fs';
import { markRestored } from '../collection/restored-file.ts';
import { type CollectionFacts, readFacts } from '../collection/stored-file.ts';
import { messageOf, SyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { UserFolder } from '../user-folder.ts';
import { removeCollection } from './draft-files.ts';
import { type Kept, replaceKeeping } from './keep-replaced.ts';
import { prepareCopy, unpackBackup } from './pack.ts';

/** A backup that is ready to take the collection's place, or what is wrong with it. */
export type Restorable =
  | { readonly kind: 'ready'; readonly path: string; readonly facts: CollectionFacts }
  | { readonly kind: 'damaged'; readonly damage: string };

/** Unpacks a backup and checks it as an upload is checked. For the heavy-work thread. */
export async function prepareRestore(folder: UserFolder, backup: string): Promise<Restorable> {
  let copy: string;
  try {
    copy = await unpackBackup(folder, backup);
  } catch (error) {
    if (isMachineFault(error)) throw error;
    return { kind: 'damaged', damage: messageOf(error) };
  }
  try {
    const damage = await prepareCopy(copy);
    if (damage === undefined) return { kind: 'ready', path: copy, facts: readFacts(copy) };
    removeCollection(copy);
    return { kind: 'damaged', damage };
  } catch (error) {
    removeCollection(copy);
    throw error;
  }
}

/** Errors of the system have a number; those of zip and zstd do not. */
function isMachineFault(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** Puts a checked backup in the place of the collection, which nobody has open, and keeps that one. */
export function restoreFile(folder: UserFolder, finished: string, nowMs: number, log: Log): Kept | undefined {
  try {
    markRestored(finished, folder.collection, nowMs);
    return replaceKeeping({ folder, finished, reason: 'before-restore', nowMs, log });
  } catch (error) {
    rmSync(finished, { force: true });
    throw error instanceof SyncError ? error : new Error(`Cannot restore: ${messageOf(error)}`, { cause: error });
  }
}
