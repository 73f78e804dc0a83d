import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '../storage/replace-file.ts';
import { userFolder } from '../user-folder.ts';
import { serverFolderName } from '../user-name.ts';
import type { AccountStore, FolderMove } from './store/account-store.ts';

/** Folders in the server's own folder that nobody needs any more. */
const gravePrefix = 'removed-';

/**
 * Gives a user's folder another name, or takes it away, and the user with it. The move is noted before, and the user
 * follows after; the one rename in between is the moment at which it happened. The files of the user are closed.
 */
export function moveFolder(base: string, store: AccountStore, move: FolderMove): void {
  const { root } = userFolder(base, move.user);
  const target = move.target === null ? newGrave(base) : userFolder(base, move.target).root;
  store.beginMove(move);
  let isMoved = false;
  try {
    if (isThere(root)) {
      renameSync(root, target);
      isMoved = true;
      syncFolder(path.dirname(target));
      syncFolder(base);
    }
    store.finishMove(move);
  } catch (error) {
    // A failure may come after the commit. What the file says then holds.
    if (store.moves().some(({ user }) => user === move.user)) {
      if (isMoved) renameSync(target, root);
      store.forgetMove(move);
    }
    throw error;
  }
}

/**
 * After a crash within `moveFolder`: a folder that still has its old name was not moved, and everything is as before. One
 * that has not was moved, and the user follows.
 */
export function settleMoves(base: string, store: AccountStore): void {
  for (const move of store.moves()) {
    if (isThere(userFolder(base, move.user).root)) store.forgetMove(move);
    else store.finishMove(move);
  }
}

/** Frees the space of removed folders. What this process does not come to is done at the next start. */
export async function emptyGraves(base: string): Promise<void> {
  for (const grave of graves(base)) await rm(grave, { recursive: true, force: true });
}

/** The same at the start, when nobody waits for anything else. */
export function emptyGravesAtStart(base: string): void {
  for (const grave of graves(base)) rmSync(grave, { recursive: true, force: true });
}

function newGrave(base: string): string {
  const own = path.join(base, serverFolderName);
  mkdirSync(own, { recursive: true });
  return path.join(own, `${gravePrefix}${randomUUID()}`);
}

function graves(base: string): string[] {
  const own = path.join(base, serverFolderName);
  const names = isThere(own) ? readdirSync(own) : [];
  return names.filter((name) => name.startsWith(gravePrefix)).map((name) => path.join(own, name));
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}
