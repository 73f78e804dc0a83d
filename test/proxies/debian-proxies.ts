import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../src/errors.ts';

const run = promisify(execFile);

/** The proxies whose recipes are tried with real clients, and the Debian package with the program of each. */
const PACKAGES = {
  nginx: { package: 'nginx', program: 'sbin/nginx' },
  apache: { package: 'apache2-bin', program: 'sbin/apache2' },
  haproxy: { package: 'haproxy', program: 'sbin/haproxy' },
  caddy: { package: 'caddy', program: 'bin/caddy' },
} as const;
export type ProxyName = keyof typeof PACKAGES;
export const PROXY_NAMES = Object.keys(PACKAGES) as readonly ProxyName[]; // The keys of the table above, no others.

/** A proxy that can be started, or the reason why it cannot be had here. */
export type PreparedProxy =
  | {
      readonly kind: 'ready';
      /** The program itself. */
      readonly program: string;
      /** Where it finds the libraries that came with it: a value for `LD_LIBRARY_PATH`. */
      readonly libraries: string;
      /** Folder of loadable modules; of Apache only. */
      readonly modules: string;
    }
  | { readonly kind: 'missing'; readonly reason: string };

const folder = path.resolve(import.meta.dirname, '../../.cache/proxies');
const downloadMsMax = 3 * 60 * 1000;

const prepared = new Map<ProxyName, Promise<PreparedProxy>>();

/**
 * Debian's packages of a proxy, unpacked below `.cache`: nothing is installed, no service is touched. Never throws for a
 * proxy that cannot be had, except with `CI=true`.
 */
export async function prepareProxy(name: ProxyName): Promise<PreparedProxy> {
  const proxy = await prepared.getOrInsertComputed(name, () => prepare(name));
  if (proxy.kind === 'missing' && process.env.CI === 'true') throw new Error(`${name}: ${proxy.reason}`);
  return proxy;
}

async function prepare(name: ProxyName): Promise<PreparedProxy> {
  const root = path.join(folder, name);
  const program = path.join(root, 'usr', PACKAGES[name].program);
  try {
    if (!existsSync(path.join(root, 'ready.json'))) await unpack(name, root);
    const libraries = globSync(`${root}/{usr/lib,lib}/*-linux-gnu*`).join(':');
    const modules = path.join(root, 'usr/lib/apache2/modules');
    return { kind: 'ready', program, libraries, modules };
  } catch (error) {
    return { kind: 'missing', reason: `needs Debian, apt-get and its archive: ${messageOf(error)}` };
  }
}

/** Unpacked beside the target and renamed at the end: test files that run at the same time cannot disturb each other. */
async function unpack(name: ProxyName, root: string): Promise<void> {
  if (!existsSync('/var/lib/dpkg/status')) throw new Error('this is not Debian');
  const temp = `${root}.${process.pid}.tmp`;
  try {
    await mkdir(path.join(temp, 'debs'), { recursive: true });
    const packages = await wantedPackages(PACKAGES[name].package);
    await download(packages, path.join(temp, 'debs'));
    for (const deb of globSync(`${temp}/debs/*.deb`)) await run('dpkg', ['-x', deb, temp]);
    await rm(path.join(temp, 'debs'), { recursive: true });
    if (!existsSync(path.join(temp, 'usr', PACKAGES[name].program))) throw new Error(`no program in ${packages}`);
    await writeFile(path.join(temp, 'ready.json'), `${JSON.stringify({ packages })}\n`);
    if (existsSync(path.join(root, 'ready.json'))) return;
    await rm(root, { recursive: true, force: true });
    await rename(temp, root);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

/** The package, and what it needs that the machine lacks. */
async function wantedPackages(name: string): Promise<readonly string[]> {
  const simulate = async () => (await run('apt-get', ['-s', 'install', '--no-install-recommends', name])).stdout;
  const plan = await simulate().catch(async () => {
    await run('apt-get', ['update', '-qq'], { timeout: downloadMsMax });
    return simulate();
  });
  const needed = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, found = '']) => found);
  // Tools for browsers' certificate stores, which only `caddy trust` calls.
  const useful = needed.filter((found) => !found.startsWith('libnss3') && found !== 'nginx-common');
  return [...new Set([name, ...useful])];
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
