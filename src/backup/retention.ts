import type { BackupReason } from './backup-folder.ts';

/** How long things are kept. */
export interface KeepingPolicy {
  /** Collections that an upload or a restore replaced, days. */
  readonly replacedDays: number;
  /** Daily backups: the newest of so many days, weeks and months that have one. */
  readonly days: number;
  readonly weeks: number;
  readonly months: number;
  /** All backups of one user, bytes; 0 for no limit. */
  readonly bytesMax: number;
  /** Media that a client replaced or deleted, days. */
  readonly trashDays: number;
  /** All of one user's, bytes; 0 for no limit. */
  readonly trashBytesMax: number;
}

/** What the decision needs to know of a backup. */
export interface KeptBackup {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly reason: BackupReason;
  readonly bytes: number;
}

export const dayMs = 24 * 60 * 60 * 1000;

/**
 * Which backups go. Kept are: what an upload or a restore replaced, for `replacedDays`; of the dailies the newest of each
 * of the last days, weeks (from Monday) and months that have one, in UTC; `manual` and `damaged` ones. The newest backup
 * always stays.
 *
 * When the rest is larger than `bytesMax`, dailies go, the oldest first, then manual ones. Never for their size go the
 * replaced ones within their days, damaged ones, and the newest backup of all.
 */
export function backupsToDelete<Backup extends KeptBackup>(
  backups: readonly Backup[],
  nowMs: number,
  policy: KeepingPolicy,
): Backup[] {
  const newestFirst = backups.toSorted((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1));
  const [newest] = newestFirst;
  const dailies = newestFirst.filter(({ reason }) => reason === 'daily');
  const keptDailies = new Set([
    ...newestOfEach(dailies, policy.days, dayOf),
    ...newestOfEach(dailies, policy.weeks, weekOf),
    ...newestOfEach(dailies, policy.months, monthOf),
  ]);
  const isDue = (backup: Backup): boolean => {
    if (backup === newest) return false;
    if (backup.reason === 'daily') return !keptDailies.has(backup);
    return isReplaced(backup) && nowMs - backup.atMs > policy.replacedDays * dayMs;
  };
  const due = newestFirst.filter(isDue);
  const rest = newestFirst.filter((backup) => !due.includes(backup) && backup !== newest);
  return [...due, ...tooLarge(rest, sumOf(newestFirst) - sumOf(due), policy.bytesMax)];
}

/** Something with a time and a size that is kept for a number of days within a limit. */
export interface KeptBatch {
  readonly atMs: number;
  readonly bytes: number;
}

/** Which batches of displaced media go: those that are too old, then the oldest beyond the limit. */
export function batchesToDelete<Batch extends KeptBatch>(
  batches: readonly Batch[],
  nowMs: number,
  { trashDays, trashBytesMax }: Pick<KeepingPolicy, 'trashDays' | 'trashBytesMax'>,
): Batch[] {
  let bytes = 0;
  const isDue = (batch: Batch): boolean => {
    bytes += batch.bytes;
    return nowMs - batch.atMs > trashDays * dayMs || (trashBytesMax > 0 && bytes > trashBytesMax);
  };
  return batches.toSorted((a, b) => b.atMs - a.atMs).filter(isDue);
}

function isReplaced({ reason }: KeptBackup): boolean {
  return reason === 'replaced' || reason === 'before-restore';
}

function newestOfEach<Backup extends KeptBackup>(
  newestFirst: readonly Backup[],
  periodsMax: number,
  periodOf: (atMs: number) => number,
): Backup[] {
  const newest = new Map<number, Backup>();
  for (const backup of newestFirst) {
    const period = periodOf(backup.atMs);
    if (!newest.has(period) && newest.size < periodsMax) newest.set(period, backup);
  }
  return [...newest.values()];
}

function tooLarge<Backup extends KeptBackup>(
  newestFirst: readonly Backup[],
  bytes: number,
  bytesMax: number,
): Backup[] {
  if (bytesMax === 0) return [];
  const oldestFirst = newestFirst.toReversed();
  const inOrder = ['daily', 'manual'].flatMap((wanted) => oldestFirst.filter(({ reason }) => reason === wanted));
  const gone: Backup[] = [];
  let left = bytes;
  for (const backup of inOrder) {
    if (left <= bytesMax) break;
    gone.push(backup);
    left -= backup.bytes;
  }
  return gone;
}

function sumOf(backups: readonly KeptBackup[]): number {
  return backups.reduce((sum, { bytes }) => sum + bytes, 0);
}

function dayOf(atMs: number): number {
  return Math.floor(atMs / dayMs);
}

function weekOf(atMs: number): number {
  return Math.floor((dayOf(atMs) + 3) / 7); // 1970 began on a Thursday.
}

function monthOf(atMs: number): number {
  const date = new Date(atMs);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
