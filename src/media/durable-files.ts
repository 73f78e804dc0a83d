import { randomUUID } from 'node:crypto';
import { closeSync, constants, fsync, openSync, renameSync, writevSync } from 'node:fs';
import { copyFile, link, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { isUnsyncableFolder } from '../storage/replace-file.ts';
import { Turn } from '../storage/turn.ts';

// Files of one user, moved so that a crash leaves whole files under whole names. What waits for the disk waits in
// libuv's threads; what only changes the system's cache is done at once, in turns with other users of the thread.

const fsyncInPool = promisify(fsync);

/** Makes the bytes of a file durable. */
export async function syncFile(file: string): Promise<void> {
  // Windows flushes only what was opened for writing.
  const fd = openSync(file, process.platform === 'win32' ? 'r+' : 'r');
  try {
    await fsyncInPool(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes the names in a folder durable: a new name is on the disk only once its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows cannot open a folder for this, and needs it not.
  try {
    await syncFile(folder);
  } catch (error) {
    if (!isUnsyncableFolder(error)) throw error;
  }
}

/** Writes a new file and makes its bytes durable; its name is as durable as its folder. */
export function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  return writeFiles(new Map([[file, bytes]]), { isSynced: true });
}

/** Writes several new files, by path. If they are to be durable, the disk is given all of them at once. */
export async function writeFiles(
  files: ReadonlyMap<string, Uint8Array>,
  { isSynced }: { readonly isSynced: boolean },
): Promise<void> {
  const opened: number[] = [];
  const turn = new Turn();
  try {
    for (const [file, bytes] of files) {
      const fd = openSync(file, 'wx');
      opened.push(fd);
      writeAll(fd, [bytes], 0);
      if (turn.isOver) await turn.next();
    }
    if (isSynced) await allEnded(opened.map((fd) => fsyncInPool(fd)));
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Writes all of the parts, one behind the other, at once. */
export function writeAll(fd: number, parts: readonly Uint8Array[], position: number): void {
  let at = position;
  let rest = parts;
  while (rest.length > 0) {
    let count = writevSync(fd, rest, at);
    at += count;
    while (rest[0] !== undefined && count >= rest[0].byteLength) {
      count -= rest[0].byteLength;
      rest = rest.slice(1);
    }
    if (rest[0] !== undefined) rest = [rest[0].subarray(count), ...rest.slice(1)];
  }
}

/** Waits for all of them, also when one fails: a late one would come after everything was undone. */
export async function allEnded(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) if (result.status === 'rejected') throw result.reason;
}

/**
 * Moves a finished, synced file over `target`. After a crash `target` holds all of the old bytes or all of the new
 * ones. Where the two lie on different file systems (a media folder that is a mount or a link), the bytes are copied
 * beside `target` first. The caller syncs the folder of `target`.
 */
export async function moveOver(finished: string, target: string): Promise<void> {
  try {
    renameSync(finished, target);
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error;
    const beside = path.join(path.dirname(target), `.${randomUUID()}.part`);
    try {
      await copySynced(finished, beside);
      await rename(beside, target);
    } catch (cause) {
      await rm(beside, { force: true });
      throw cause;
    }
    await rm(finished, { force: true });
  }
}

/** A second, independent file with the same bytes, durable but for its name. */
export async function copySynced(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await syncFile(target);
}

/**
 * Keeps a file that is about to be replaced or removed, under a second name. A hard link costs nothing; where there are
 * none (exFAT, another file system) the bytes are copied. False when there is no such file.
 */
export async function keepUnder(file: string, keptName: string): Promise<boolean> {
  try {
    await link(file, keptName);
    return true;
  } catch (error) {
    switch (codeOf(error)) {
      case 'ENOENT':
        return false;
      case 'EEXIST': // A name that differs in case, where the file system does not tell them apart: the same file.
        return true;
      default:
        await copySynced(file, keptName);
        return true;
    }
  }
}

/** `ENOENT` and its like; empty for errors without a code. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
