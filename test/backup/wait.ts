import { readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../support/server.ts';

const waitMsMax = 15_000;

/** Waits until something has happened behind an answer. */
export async function waitFor(hasHappened: () => boolean): Promise<void> {
  const endsMs = performance.now() + waitMsMax;
  while (!hasHappened()) {
    if (performance.now() > endsMs) throw new Error(`It has not happened after ${waitMsMax} ms: ${hasHappened}`);
    await sleep(20);
  }
}

/** File names in a user's folder of backups, oldest first. */
export function backupNames(server: Server, user: string): string[] {
  try {
    return readdirSync(path.join(server.base, user, 'backups')).sort();
  } catch {
    return [];
  }
}

/** Waits for a packed backup made for that reason; returns the newest one's name without its ending. */
export async function packedBackup(server: Server, user: string, reason: string): Promise<string> {
  const ending = `.${reason}.colpkg`;
  await waitFor(() => backupNames(server, user).some((name) => name.endsWith(ending)));
  const newest = backupNames(server, user).findLast((name) => name.endsWith(ending)) ?? '';
  return newest.slice(0, -'.colpkg'.length);
}
