import { chownSync, lstatSync } from 'node:fs';
import path from 'node:path';

/**
 * Gives a new file to the owner of its folder, which only root can do: a command that is run as root must not leave files
 * that the server's own account cannot open. Where the file system does not allow it, the file stays as it is.
 */
export function inheritOwner(file: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = lstatSync(path.dirname(file));
  if (uid === 0) return;
  try {
    chownSync(file, uid, gid);
  } catch {
    // Network file systems and containers may keep root from it.
  }
}
