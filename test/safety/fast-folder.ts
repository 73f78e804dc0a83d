import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A file system in memory, where Linux has one. Faults and order are the same everywhere, the time for a sync is not. */
const memoryFolder = '/dev/shm';

/** A new folder on a fast disk where there is one. */
export function fastFolder(prefix: string): string {
  return mkdtempSync(path.join(hasMemoryFolder() ? memoryFolder : tmpdir(), prefix));
}

/** From here on temporary folders of this process are on a fast disk where there is one. */
export function useFastTemporaryFolder(): void {
  if (hasMemoryFolder()) process.env.TMPDIR = memoryFolder;
}

function hasMemoryFolder(): boolean {
  try {
    accessSync(memoryFolder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
