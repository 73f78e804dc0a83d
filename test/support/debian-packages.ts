import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const cache = path.resolve(import.meta.dirname, '../../.cache');
const aptMsMax = 3 * 60 * 1000;

/**
 * Unpacks packages of Debian in a folder, which has their files as they would be installed: nothing is installed, and no
 * service is touched. A folder that is there already stays. Throws where packages of Debian cannot be had.
 */
export async function unpackDebianPackages(packages: readonly string[], root: string): Promise<void> {
  if (existsSync(root)) return;
  if (!existsSync('/var/lib/dpkg/status')) throw new Error('this is not Debian');
  // Beside the target, and renamed at the end: test files that run at the same time cannot disturb each other.
  const temp = `${root}.${process.pid}.tmp`;
  try {
    const debs = path.join(temp, 'debs');
    await mkdir(debs, { recursive: true });
    await apt(['download', ...packages], debs);
    for (const deb of globSync(`${debs}/*.deb`)) await run('dpkg', ['-x', deb, temp]);
    await rm(debs, { recursive: true });
    if (!existsSync(root)) await rename(temp, root);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

/** What apt-get prints. Its lists may be older than the archive, or there may be none; they are fetched by one at a time. */
export async function apt(args: readonly string[], cwd = cache): Promise<string> {
  await mkdir(cwd, { recursive: true });
  const ask = async () => {
    const options = ['-qq', '-o', 'APT::Sandbox::User=root'];
    return (await run('apt-get', [...options, ...args], { cwd, timeout: aptMsMax })).stdout;
  };
  try {
    return await ask();
  } catch {
    await mkdir(cache, { recursive: true });
    // Others may be at it in their own way; what matters is whether the next attempt succeeds.
    const update = ['apt-get', 'update', '-qq'];
    await run('flock', [path.join(cache, 'apt.lock'), ...update], { timeout: 2 * aptMsMax }).catch(() => undefined);
    return ask();
  }
}
