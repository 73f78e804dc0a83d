import path from 'node:path';
import { messageOf } from '../../src/errors.ts';
import { unpackDebianPackages } from '../support/debian-packages.ts';

const folder = path.resolve(import.meta.dirname, '../../.cache/debian');

/** The packages as they would be installed, below `root`; or why they cannot be had here. */
export type DebianTool =
  | { readonly kind: 'ready'; readonly root: string }
  | { readonly kind: 'missing'; readonly reason: string };

/**
 * Unpacks packages of Debian below `.cache`: nothing is installed, no service is touched. Never throws for what cannot
 * be had, except with `CI=true`.
 */
export async function prepareDebianTool(packages: readonly string[]): Promise<DebianTool> {
  const root = path.join(folder, packages.join('+'));
  try {
    await unpackDebianPackages(packages, root);
    return { kind: 'ready', root };
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    return { kind: 'missing', reason: `needs Debian, apt-get and its archive: ${messageOf(error)}` };
  }
}
