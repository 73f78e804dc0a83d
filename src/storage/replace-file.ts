import { closeSync, constants, copyFileSync, fsyncSync, openSync, renameSync } from 'node:fs';
import path from 'node:path';

/** Makes the bytes of a file durable. */
export function syncFile(file: string): void {
  const fd = openSync(file, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes the names in a folder durable: a new name is on the disk only once its folder is. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return; // Windows cannot open a folder for this, and needs it not.
  try {
    syncFile(folder);
  } catch (error) {
    if (!isUnsyncableFolder(error)) throw error;
  }
}

/** Some network file systems cannot sync a folder. That is as durable as they get; everything must work all the same. */
export function isUnsyncableFolder(error: unknown): boolean {
  return error instanceof Error && 'code' in error && UNSYNCABLE.has(error.code);
}

const UNSYNCABLE: ReadonlySet<unknown> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP']);

/**
 * Puts a finished file in the place of another. After a crash `target` holds all of the old bytes or all of the new
 * ones. Both lie on one file system.
 */
export function replaceFile(finished: string, target: string): void {
  syncFile(finished);
  renameSync(finished, target);
  syncFolder(path.dirname(target));
}

/** Copies a file, without moving bytes where the file system can share them. */
export function cloneFile(source: string, target: string): void {
  copyFileSync(source, target, constants.COPYFILE_FICLONE);
}
