import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../../scripts/build/project.ts';
import { addNetwork, addNode, cleanRoot, type DebianRelease, networkEnvironment, unpackRoot } from './clean-root.ts';
import { isIgnored, parseCopy, parseDockerfile, parseEnv, parseExecForm, type Stage } from './dockerfile.ts';

/** What the last stage of a Dockerfile makes: files, and how to start them. */
export interface Image {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  /** `uid:gid` */
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
  readonly volumes: readonly string[];
}

/** What a stage has become so far. */
interface Building {
  readonly root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  entrypoint: string[];
  healthcheck: string[];
  readonly volumes: string[];
}

const pathInImage = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Does what the Dockerfile says, each stage in a clean Debian with Node in the place of its image. An instruction that is
 * not known here is an error: nothing of the file is passed over.
 */
export function buildImage(folder: string): Image {
  const stages = parseDockerfile(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'));
  const built = new Map<string, string>();
  let last: Building | undefined;
  for (const [index, stage] of stages.entries()) {
    last = buildStage(stage, path.join(folder, `stage${index}`), built);
    built.set(stage.name || String(index), last.root);
  }
  if (last === undefined) throw new Error('the Dockerfile has no stages');
  return last;
}

function buildStage(stage: Stage, root: string, built: ReadonlyMap<string, string>): Building {
  unpackRoot(cleanRoot(releaseOf(stage.image)), root);
  addNode(root);
  const building: Building = {
    root,
    workdir: '/',
    env: { PATH: pathInImage, HOME: '/root' },
    user: '0:0',
    entrypoint: [],
    healthcheck: [],
    volumes: [],
  };
  for (const { name, text } of stage.instructions) carryOut(name, text, building, built);
  return building;
}

/** `node:26-trixie-slim` is Debian trixie with the Node that runs this test. */
function releaseOf(image: string): DebianRelease {
  const [, major, release] = /^node:(\d+)-(bookworm|trixie)-slim$/.exec(image) ?? [];
  const running = process.versions.node.split('.')[0];
  if (release === undefined || major !== running) throw new Error(`There is no stand-in for the image ${image}`);
  return release as DebianRelease;
}

function carryOut(name: string, text: string, building: Building, built: ReadonlyMap<string, string>): void {
  switch (name) {
    case 'WORKDIR':
      building.workdir = path.posix.resolve(building.workdir, text);
      mkdirSync(path.join(building.root, building.workdir), { recursive: true });
      return;
    case 'COPY':
      copy(text, building, built);
      return;
    case 'RUN':
      runIn(building, text);
      return;
    case 'ENV':
      Object.assign(building.env, parseEnv(text));
      return;
    case 'USER':
      building.user = text;
      return;
    case 'VOLUME':
      building.volumes.push(text);
      return;
    case 'ENTRYPOINT':
      building.entrypoint = parseExecForm(text);
      return;
    case 'HEALTHCHECK':
      building.healthcheck = parseExecForm(text.replace(/^.*?\bCMD /, ''));
      return;
    case 'EXPOSE':
      return;
    case 'STOPSIGNAL':
      if (text !== 'SIGTERM') throw new Error(`The test stops by SIGTERM, not ${text}`);
      return;
    default:
      throw new Error(`Not understood: ${name} ${text}`);
  }
}

function copy(text: string, building: Building, built: ReadonlyMap<string, string>): void {
  const { from, sources, target } = parseCopy(text);
  const to = path.join(building.root, path.posix.resolve(building.workdir, target));
  const origin = from === undefined ? ROOT : built.get(from);
  if (origin === undefined) throw new Error(`COPY from ${from}, which is no stage before`);
  for (const source of sources) {
    const file = path.join(origin, source);
    const files = from === undefined ? contextFiles(source) : undefined;
    // As Docker does: the content of a folder, or a file by its name into a folder.
    const isIntoFolder = !statSync(file).isDirectory() && (target.endsWith('/') || target === '.' || target === './');
    const place = isIntoFolder ? path.join(to, path.basename(file)) : to;
    const filter = (each: string) => files === undefined || statSync(each).isDirectory() || files.has(each);
    cpSync(file, place, { recursive: true, filter, verbatimSymlinks: true });
  }
}

/** The files of the checkout that `.dockerignore` lets through. */
function contextFiles(source: string): ReadonlySet<string> {
  const patterns = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
  const found = [source, ...globSync(`${source}/**/*`, { cwd: ROOT })];
  const files = found.filter((file) => !isIgnored(patterns, file.replaceAll(path.sep, '/')));
  if (files.length === 0) throw new Error(`.dockerignore leaves nothing of ${source}`);
  return new Set(files.map((file) => path.join(ROOT, file)));
}

function runIn(building: Building, command: string): void {
  addNetwork(building.root);
  const env = {
    ...networkEnvironment(),
    npm_config_cache: '/var/cache/npm',
    npm_config_prefer_offline: 'true',
    ...building.env,
  };
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const cache = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim();
  const script = `
    set -e; root=$1; cache=$2; workdir=$3; shift 3
    mkdir -p "$cache" "$root/var/cache/npm"
    mount --bind "$cache" "$root/var/cache/npm"
    mount -t proc proc "$root/proc"; mount --bind /dev "$root/dev"
    exec chroot "$root" env -i -C "$workdir" "$@"`;
  const args = ['-m', '--propagation=private', 'sh', '-c', script, 'sh', building.root, cache, building.workdir];
  execFileSync('unshare', [...args, ...assignments, 'sh', '-c', command], { stdio: ['ignore', 'ignore', 'pipe'] });
}
