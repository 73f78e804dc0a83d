import { existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { COMPANIONS } from '../collection/companions.ts';
import { type CollectionFacts, damageOf, hasCompanion, readFacts, takeInWal } from '../collection/stored-file.ts';
import { messageOf, SyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import { cloneFile, replaceFile, syncFile, syncFolder } from '../storage/replace-file.ts';
import { assertReadable } from '../storage/sqlite-damage.ts';
import type { UserFolder } from '../user-folder.ts';
import { type BackupReason, backupsFolder, damagedFile, pendingFile, unusedBackupId } from './backup-folder.ts';
import { makeBackupsFolder, setCompanionsAside } from './missing-collection.ts';

/** The collection that was in the way. */
export interface Kept {
  /** Under which it can be restored. */
  readonly id: string;
  /** Undefined when it could not be read. */
  readonly facts: CollectionFacts | undefined;
}

/** What is in the collection's place could not be kept, so it stays there. */
export class CannotKeepError extends SyncError {
  constructor(backups: string, cause: unknown) {
    const text = `the backup of the old collection could not be written to ${backups}: ${messageOf(cause)}`;
    super('serverFault', `Cannot replace the collection: ${text}`, { cause });
    this.name = 'CannotKeepError';
  }
}

export interface Replacement {
  readonly folder: UserFolder;
  /** A checked collection file on the same file system. */
  readonly finished: string;
  readonly reason: BackupReason & ('replaced' | 'before-restore');
  readonly nowMs: number;
  readonly log: Log;
}

/**
 * Puts a finished file in the collection's place and keeps what was there, in that order of safety: the old collection has
 * a durable second name before anything is replaced. Nobody has the collection open. Costs a hard link, where there are
 * some. Returns undefined when there was nothing to keep: no file, or no notes, cards and reviews in it.
 *
 * Throws a `CannotKeepError` when the old collection cannot be kept; it is in its place then, untouched.
 */
export function replaceKeeping({ folder, finished, reason, nowMs, log }: Replacement): Kept | undefined {
  let kept: Kept | undefined;
  try {
    kept = keepCollection(folder, reason, nowMs, log);
  } catch (error) {
    throw new CannotKeepError(backupsFolder(folder), error);
  }
  try {
    replaceFile(finished, folder.collection);
  } catch (error) {
    if (kept !== undefined) dropIfLive(folder, pendingFile(folder, kept.id));
    throw error;
  }
  return kept;
}

/**
 * Removes a pending backup that is the stored collection itself under a second name: what a crash between keeping and
 * replacing leaves. Nothing was replaced then, and the next change of the collection would change the backup too. True
 * when it was one. Only in the lane of the user.
 */
export function dropIfLive(folder: UserFolder, pending: string): boolean {
  const live = statSync(folder.collection, { throwIfNoEntry: false, bigint: true });
  const kept = statSync(pending, { throwIfNoEntry: false, bigint: true });
  if (live === undefined || kept === undefined || live.ino !== kept.ino || live.dev !== kept.dev) return false;
  rmSync(pending);
  return true;
}

function keepCollection(folder: UserFolder, reason: BackupReason, nowMs: number, log: Log): Kept | undefined {
  if (!existsSync(folder.collection)) {
    setCompanionsAside(folder, nowMs);
    return undefined;
  }
  const facts = settle(folder.collection);
  if (typeof facts === 'string') return setAside(folder, { nowMs, damage: facts }, log);
  if (facts.notes + facts.cards + facts.reviews === 0) return undefined;
  makeBackupsFolder(folder);
  const id = unusedBackupId(folder, nowMs, reason);
  keepUnder(folder.collection, pendingFile(folder, id));
  syncFolder(backupsFolder(folder));
  return { id, facts };
}

/** Brings everything into the one file and reads it; or says what is wrong with it. */
function settle(collection: string): CollectionFacts | string {
  // SQLite would take it for a new database, and throw away the log beside it.
  if (statSync(collection).size === 0) return 'an empty file';
  const facts = lookAt(collection);
  if (typeof facts !== 'string') return facts;
  assertReadable(collection);
  return lookAt(collection);
}

function lookAt(collection: string): CollectionFacts | string {
  try {
    if (hasCompanion(collection)) takeInWal(collection);
    return readFacts(collection);
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw error;
    return damage;
  }
}

/** Keeps a damaged collection with all that lies beside it: somebody may be able to save something. Never a link. */
function setAside(folder: UserFolder, found: { readonly nowMs: number; readonly damage: string }, log: Log): Kept {
  makeBackupsFolder(folder);
  const id = unusedBackupId(folder, found.nowMs, 'damaged');
  const target = damagedFile(folder, id);
  for (const suffix of [...COMPANIONS, '']) {
    if (!existsSync(folder.collection + suffix)) continue;
    copyDurably(folder.collection + suffix, target + suffix);
  }
  syncFolder(backupsFolder(folder));
  // What is left of the old one must not be mixed into the new one.
  dropCompanions(folder.collection);
  log.error(
    { user: folder.user, path: folder.collection, damage: found.damage, kept: target },
    'The stored collection is damaged; it was set aside before it was replaced',
  );
  return { id, facts: undefined };
}

/** A second name; where the file system has no links (exFAT, some network disks) a copy. */
function keepUnder(file: string, keptName: string): void {
  try {
    linkSync(file, keptName);
  } catch {
    copyDurably(file, keptName); // Fails for the same reason, if it is another one.
    return;
  }
  syncFile(file);
}

/** The name appears when all bytes are on the disk. */
function copyDurably(file: string, target: string): void {
  const draft = path.join(path.dirname(target), `${path.basename(target)}.tmp`);
  try {
    cloneFile(file, draft);
    syncFile(draft);
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function dropCompanions(collection: string): void {
  for (const suffix of COMPANIONS) rmSync(collection + suffix, { force: true });
}
