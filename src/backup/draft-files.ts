import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { COMPANIONS } from '../collection/companions.ts';
import type { UserFolder } from '../user-folder.ts';

/** A new path in the user's folder for files on their way. */
export function draftPath(folder: UserFolder, purpose: string): string {
  mkdirSync(folder.incoming, { recursive: true });
  return path.join(folder.incoming, `${purpose}-${randomUUID()}.anki2`);
}

/** Removes a private copy with what lies beside it. */
export function removeCollection(file: string): void {
  for (const suffix of ['', ...COMPANIONS]) rmSync(file + suffix, { force: true });
}
