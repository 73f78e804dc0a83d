import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../../scripts/build/project.ts';
import { unpackDebianPackages } from '../../support/debian-packages.ts';

const CACHE = path.join(ROOT, '.cache/clean-roots');
/** Debian releases that images are built on, and that roots are made of. */
export type DebianRelease = 'bookworm' | 'trixie';

/** Why a clean root cannot be made here; undefined when it can. */
export function whyNoCleanRoot(): string | undefined {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version')) return 'it takes Debian';
  return process.getuid?.() === 0 ? undefined : 'it takes root';
}

/** The files of a Debian that was just installed, with what Node asks of it, as an archive. Made once and kept. */
export function cleanRoot(release: DebianRelease): string {
  const archive = path.join(CACHE, `${release}.tar`);
  if (existsSync(archive)) return archive;
  installTool('mmdebstrap');
  const make =
    'mmdebstrap --quiet --variant=apt --include=ca-certificates,libatomic1 "$0" "$1.tar" && mv "$1.tar" "$2"';
  oneAtATime('root', [
    'sh',
    '-c',
    `[ -e "$2" ] || { ${make}; }`,
    release,
    path.join(CACHE, `unfinished-${release}`),
    archive,
  ]);
  return archive;
}

/** Installs a Debian package on this machine unless its program is there. */
export function installTool(name: string, program = name): void {
  const isThere = () => existsSync(`/usr/bin/${program}`) || existsSync(`/usr/sbin/${program}`);
  if (isThere()) return;
  apt(['install', '-qy', '--no-install-recommends', name], ROOT);
  if (!isThere()) throw new Error(`the package ${name} brings no ${program}`);
}

/** Debian packages in a folder of the cache, unpacked and not installed. Returns the folder. */
export async function unpackedPackages(name: string, packages: readonly string[]): Promise<string> {
  const folder = path.join(ROOT, '.cache/debian', name);
  await unpackDebianPackages(packages, folder);
  return folder;
}

const aptTries = 6;
const aptWaitSecs = 5;

/** Runs apt-get. The lists of this machine may be old or none, and another test may be at it. */
function apt(args: readonly string[], cwd: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      oneAtATime('apt', ['apt-get', '-o', 'DPkg::Lock::Timeout=120', ...args], cwd);
      return;
    } catch (error) {
      if (attempt === aptTries) throw error;
      if (attempt > 1) execFileSync('sleep', [String(aptWaitSecs)]);
      spawnSync('apt-get', ['update', '-q'], { stdio: 'ignore' }); // What matters is whether the next attempt succeeds.
    }
  }
}

/** Test files run side by side; what only one of them may do at a time waits here for the others. */
function oneAtATime(name: string, command: readonly string[], cwd = ROOT): void {
  mkdirSync(CACHE, { recursive: true });
  execFileSync('flock', [path.join(CACHE, `${name}.lock`), ...command], {
    cwd,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Unpacks an archive of a root into a new folder. */
export function unpackRoot(archive: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xf', archive, '-C', folder, '--exclude=./dev/*']);
}

/** Puts Node and npm where the official image of Node has them. */
export function addNode(folder: string): void {
  const local = path.join(folder, 'usr/local');
  cpSync(process.execPath, path.join(local, 'bin/node'), { dereference: true });
  const npm = path.dirname(
    path.dirname(execFileSync('sh', ['-c', 'realpath "$(command -v npm)"'], { encoding: 'utf8' })),
  );
  cpSync(npm, path.join(local, 'lib/node_modules/npm'), { recursive: true });
  for (const program of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${program}-cli.js`, path.join(local, 'bin', program));
  }
}

/** Lets programs in the root reach the packages that this machine reaches, in the same way. */
export function addNetwork(folder: string): void {
  for (const file of ['/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs/ca-certificates.crt']) {
    const target = path.join(folder, file);
    if (!existsSync(file)) continue;
    rmSync(target, { force: true });
    mkdirSync(path.dirname(target), { recursive: true });
    cpSync(file, target, { dereference: true });
  }
}

/** Variables that say how to reach the network and how npm does. */
export function networkEnvironment(): Record<string, string> {
  const config = (name: string) => execFileSync('npm', ['config', 'get', name], { encoding: 'utf8', cwd: '/' }).trim();
  const proxies = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(?:.*_proxy|NODE_EXTRA_CA_CERTS)$/i.test(entry[0]),
  );
  return { ...Object.fromEntries(proxies), npm_config_registry: config('registry'), npm_config_cafile: cafile() };
}

function cafile(): string {
  const file = '/etc/ssl/certs/ca-certificates.crt';
  return readFileSync(file, 'utf8') === '' ? '' : file;
}
