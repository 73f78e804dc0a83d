import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { COMPANIONS } from '../collection/companions.ts';
import type { Log } from '../log.ts';
import { syncFile, syncFolder } from '../storage/replace-file.ts';
import type { UserFolder } from '../user-folder.ts';
import { backupsFolder, damagedFile, listBackups, pendingFile, unusedBackupId } from './backup-folder.ts';
import { draftPath, removeCollection } from './draft-files.ts';
import { restoreCommand } from './loss-warning.ts';

/**
 * A collection is to be made for a user who has none. If there was one, the log says so and how to get it back: a device
 * that syncs now finds an empty server and sends all that it has, so nothing is lost by going on, and whoever removed the
 * file to begin anew is not held up.
 */
export function noticeMissingCollection(folder: UserFolder, nowMs: number, log: Log): void {
  const { user, collection } = folder;
  const aside = setCompanionsAside(folder, nowMs);
  const newest = listBackups(folder).findLast(({ form }) => form !== 'damaged');
  const fields = { user, path: collection, ...(aside !== undefined && { aside }) };
  if (newest !== undefined) {
    const undo = restoreCommand(user, newest.id);
    log.warn({ ...fields, undo }, 'The collection is missing although there are backups of it; an empty one was made');
  } else if (aside !== undefined || hasMedia(folder)) {
    log.warn(fields, 'The collection is missing and there is no backup of it; an empty one was made');
  }
}

/** What lies beside a collection that is not there: SQLite would mix it into the next one. Somebody may still need it. */
export function setCompanionsAside(folder: UserFolder, nowMs: number): string | undefined {
  const suffixes = COMPANIONS.filter((suffix) => existsSync(folder.collection + suffix));
  if (suffixes.length === 0) return undefined;
  makeBackupsFolder(folder);
  const aside = damagedFile(folder, unusedBackupId(folder, nowMs, 'damaged'));
  for (const suffix of suffixes) renameSync(folder.collection + suffix, aside + suffix);
  syncFolder(backupsFolder(folder));
  syncFolder(folder.root);
  return aside;
}

/** An open collection whose file was removed, or replaced by another. */
export interface StrayCollection {
  readonly folder: UserFolder;
  readonly isStray: boolean;
  copyTo(target: string): Promise<boolean>;
  close(): void;
}

/**
 * Another program has taken away the file that is open here: what was acknowledged since is in no file with a name, so it
 * becomes a backup. Then it is closed, and what is there now counts. Returns the id of the backup.
 */
export async function rescueStray(collection: StrayCollection, nowMs: number, log: Log): Promise<string | undefined> {
  if (!collection.isStray) return undefined;
  const { folder } = collection;
  makeBackupsFolder(folder);
  const draft = draftPath(folder, 'rescue');
  const id = unusedBackupId(folder, nowMs, 'replaced');
  try {
    await collection.copyTo(draft);
    syncFile(draft);
    renameSync(draft, pendingFile(folder, id));
    syncFolder(backupsFolder(folder));
  } catch (error) {
    removeCollection(draft);
    throw error;
  }
  collection.close();
  log.error(
    { user: folder.user, path: folder.collection, undo: restoreCommand(folder.user, id) },
    'Another program removed or replaced the collection while it was open here; what was open is now a backup',
  );
  return id;
}

/** Makes the folder of the backups durable, if there is none. */
export function makeBackupsFolder(folder: UserFolder): void {
  if (existsSync(backupsFolder(folder))) return;
  mkdirSync(backupsFolder(folder), { recursive: true });
  syncFolder(folder.root);
}

function hasMedia(folder: UserFolder): boolean {
  return statSync(folder.media, { throwIfNoEntry: false }) !== undefined && readdirSync(folder.media).length > 0;
}
