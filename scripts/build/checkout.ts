import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { bundleToRun } from './bundle.ts';

/** Compiles the program for this checkout into a new folder, which is there as a whole or not at all. Returns it. */
export async function buildForCheckout(target: string): Promise<string> {
  await mkdir(path.dirname(target), { recursive: true });
  const draft = await mkdtemp(`${target}-`);
  try {
    await bundleToRun(draft);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another start may have been quicker.
    if (!isFolderInTheWay(error)) throw error;
  }
  return target;
}

function isFolderInTheWay(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST');
}
