import { existsSync, globSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../src/errors.ts';
import { apt, unpackDebianPackages } from '../support/debian-packages.ts';

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

const folder = path.resolve(import.meta.dirname, '../../.cache/debian/proxies');

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
    if (!existsSync(root)) await unpackDebianPackages(await wantedPackages(PACKAGES[name].package), root);
    if (!existsSync(program)) throw new Error(`no ${PACKAGES[name].program} in the package ${PACKAGES[name].package}`);
    const libraries = globSync(`${root}/{usr/lib,lib}/*-linux-gnu*`).join(':');
    const modules = path.join(root, 'usr/lib/apache2/modules');
    return { kind: 'ready', program, libraries, modules };
  } catch (error) {
    return { kind: 'missing', reason: `needs Debian, apt-get and its archive: ${messageOf(error)}` };
  }
}

/** The package, and what it needs that the machine lacks. */
async function wantedPackages(name: string): Promise<readonly string[]> {
  const plan = await apt(['-s', 'install', '--no-install-recommends', name]);
  const needed = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, found = '']) => found);
  // Tools for browsers' certificate stores, which only `caddy trust` calls.
  const useful = needed.filter((found) => !found.startsWith('libnss3') && found !== 'nginx-common');
  return [...new Set([name, ...useful])];
}
