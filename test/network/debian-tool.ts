import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../src/errors.ts';

const run = promisify(execFile);
const folder = path.resolve(import.meta.dirname, '../../.cache/network');
const downloadMsMax = 3 * 60 * 1000;

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
    if (!existsSync(root)) await unpack(packages, root);
    return { kind: 'ready', root };
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    return { kind: 'missing', reason: `needs Debian, apt-get and its archive: ${messageOf(error)}` };
  }
}

/** Beside the target, and renamed at the end: test files that run at the same time cannot disturb each other. */
async function unpack(packages: readonly string[], root: string): Promise<void> {
  if (!existsSync('/var/lib/dpkg/status')) throw new Error('this is not Debian');
  const temp = `${root}.${process.pid}.tmp`;
  try {
    await mkdir(path.join(temp, 'debs'), { recursive: true });
    await download(packages, path.join(temp, 'debs'));
    for (const deb of globSync(`${temp}/debs/*.deb`)) await run('dpkg', ['-x', deb, temp]);
    await rm(path.join(temp, 'debs'), { recursive: true });
    if (!existsSync(root)) await rename(temp, root);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

async function download(packages: readonly string[], cwd: string): Promise<void> {
  const args = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...packages];
  try {
    await run('apt-get', args, { cwd, timeout: downloadMsMax });
  } catch {
    await run('apt-get', ['update', '-qq'], { timeout: downloadMsMax }); // The lists may be older than the archive.
    await run('apt-get', args, { cwd, timeout: downloadMsMax });
  }
}
