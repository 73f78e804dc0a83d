import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { UserFolder } from '../user-folder.ts';

// What lies in `<user>/backups`, where <id> is `2026-11-23T143055.123Z.replaced`, the UTC time and the reason:
//
//   <id>.colpkg           a backup as Anki itself imports it
//   <id>.pending.anki2    the collection file itself, as good a backup, until it has been packed
//   <id>.anki2            a damaged collection that was set aside, as it was found, perhaps with its -wal or -journal
//   <id>.colpkg.tmp       unfinished; of no use to anybody
//
// Nothing else about backups is kept anywhere, so files may be copied, moved away and put back at any time.

/** Why a backup was made. `damaged`: what was in the collection's place could not be read. */
export const BACKUP_REASONS = ['replaced', 'before-restore', 'daily', 'manual', 'damaged'] as const;
export type BackupReason = (typeof BACKUP_REASONS)[number];

/** One backup of a user. */
export interface StoredBackup {
  /** Time and reason, as users type it. */
  readonly id: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly reason: BackupReason;
  readonly form: 'packed' | 'pending' | 'damaged';
  readonly path: string;
  /** Of its files. */
  readonly bytes: number;
}

const NAME =
  /^((\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d\.\d{3})Z\.(replaced|before-restore|daily|manual|damaged))\.(colpkg|pending\.anki2|anki2)$/;

/** `<SYNC_BASE>/<user>/backups` */
export function backupsFolder(folder: UserFolder): string {
  return path.join(folder.root, 'backups');
}

/** Name of a backup without its ending. */
export function backupId(atMs: number, reason: BackupReason): string {
  const [day, time] = new Date(atMs).toISOString().split('T') as [string, string];
  return `${day}T${time.replaceAll(':', '')}.${reason}`;
}

/** The first id from a time on that no file has. */
export function unusedBackupId(folder: UserFolder, nowMs: number, reason: BackupReason): string {
  for (let atMs = nowMs; ; atMs += 1) {
    const id = backupId(atMs, reason);
    const names = [packedFile(folder, id), pendingFile(folder, id), damagedFile(folder, id)];
    if (!names.some((name) => existsSync(name))) return id;
  }
}

export function packedFile(folder: UserFolder, id: string): string {
  return path.join(backupsFolder(folder), `${id}.colpkg`);
}

export function pendingFile(folder: UserFolder, id: string): string {
  return path.join(backupsFolder(folder), `${id}.pending.anki2`);
}

export function damagedFile(folder: UserFolder, id: string): string {
  return path.join(backupsFolder(folder), `${id}.anki2`);
}

/** All backups of a user, oldest first. One that is packed and pending at once counts as packed. */
export function listBackups(folder: UserFolder): StoredBackup[] {
  const backups = new Map<string, StoredBackup>();
  for (const name of namesIn(backupsFolder(folder)).sort()) {
    const backup = readName(path.join(backupsFolder(folder), name));
    // `colpkg` comes before `pending` in the order of names.
    if (backup !== undefined && !backups.has(backup.id)) backups.set(backup.id, backup);
  }
  return [...backups.values()].sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
}

/** What a file of the folder is; undefined for everything that is no backup. */
function readName(file: string): StoredBackup | undefined {
  const [, id, day, hour, minute, second, reason, ending] = NAME.exec(path.basename(file)) ?? [];
  if (id === undefined) return undefined;
  const atMs = Date.parse(`${day}T${hour}:${minute}:${second}Z`);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (Number.isNaN(atMs) || stats?.isFile() !== true) return undefined;
  const form = ending === 'colpkg' ? 'packed' : ending === 'anki2' ? 'damaged' : 'pending';
  return { id, atMs, reason: reason as BackupReason, form, path: file, bytes: stats.size };
}

/**
 * The backup that a user means: its id, with or without an ending, or the beginning of only one id. `latest` is the newest
 * one.
 */
export function findBackup(
  backups: readonly StoredBackup[],
  wanted: string,
): StoredBackup | { readonly problem: 'unknown' | 'ambiguous' } {
  const usable = backups.filter((backup) => backup.form !== 'damaged');
  const newest = usable.at(-1);
  if (wanted === 'latest') return newest ?? { problem: 'unknown' };
  const exact = backups.find(({ id, path: file }) => id === wanted || path.basename(file) === wanted);
  if (exact !== undefined) return exact;
  const fitting = wanted === '' ? [] : backups.filter(({ id }) => id.startsWith(wanted));
  const [only] = fitting;
  if (only === undefined) return { problem: 'unknown' };
  return fitting.length === 1 ? only : { problem: 'ambiguous' };
}

/** Names in a folder; none when it is not there. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
