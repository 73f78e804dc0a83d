import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../src/errors.ts';
import { CLIENT_RELEASES, type ClientRelease, type ClientVersion, clientRelease } from './clients.ts';
import { prepareDebianClient } from './legacy-2.1.15/prepare.ts';

const run = promisify(execFile);

/** Where the clients are kept between runs. `TEST_CLIENTS_DIR` moves it, for example to a cache of a CI service. */
export const clientsFolder = path.resolve(
  process.env.TEST_CLIENTS_DIR ?? path.join(import.meta.dirname, '../../.cache/clients'),
);

/** Installing waits for the network, so a few at once pay off even on two cores. */
const installsAtOnceMax = 3;
const installMsMax = 5 * 60 * 1000;

/** A client that can be run, or the reason why it cannot be had here. */
export type PreparedClient =
  | { readonly version: ClientVersion; readonly kind: 'ready'; readonly python: string; readonly library?: string }
  | { readonly version: ClientVersion; readonly kind: 'missing'; readonly reason: string };

/** One installation per version and process, however many tests ask for it. */
const prepared = new Map<ClientVersion, Promise<PreparedClient>>();
let running = 0;
const waiting: (() => void)[] = [];

/**
 * Makes sure that these clients are installed, each in a Python environment of its own below `clientsFolder`.
 *
 * What is there already is used at once: a marker file tells a finished installation. Never throws for a client that
 * cannot be had; with `CI=true` that is an error all the same, thrown after all installations have been tried.
 */
export async function preparePythonEnvs(
  versions: readonly ClientVersion[] = CLIENT_RELEASES.map((release) => release.version),
): Promise<readonly PreparedClient[]> {
  const clients = await Promise.all(
    versions.map((version) => prepared.getOrInsertComputed(version, () => inTurn(() => prepare(version)))),
  );
  const missing = clients.filter((client) => client.kind === 'missing');
  if (missing.length > 0 && process.env.CI === 'true') {
    throw new Error(missing.map((client) => `Anki ${client.version}: ${client.reason}`).join('\n'));
  }
  return clients;
}

/** The same for one client. */
export async function preparePythonEnv(version: ClientVersion): Promise<PreparedClient> {
  const [client] = await preparePythonEnvs([version]);
  if (client === undefined) throw new Error('one version gives one client');
  return client;
}

async function inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
  if (running >= installsAtOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await task();
  } finally {
    // The place is handed on; only when nobody waits is it free.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

async function prepare(version: ClientVersion): Promise<PreparedClient> {
  const release = clientRelease(version);
  const folder = path.join(clientsFolder, version);
  for (const attempt of [1, 2]) {
    try {
      if (release.source === 'debian') return { version, kind: 'ready', ...(await prepareDebianClient(folder)) };
      if (!isInstalled(folder, release)) await install(folder, release);
      return { version, kind: 'ready', python: path.join(folder, 'bin/python') };
    } catch (error) {
      if (attempt === 2) return { version, kind: 'missing', reason: explain(release, error) };
    }
  }
  throw new Error('unreachable: the second attempt returns');
}

/** The marker says what the environment was made from, so that a changed pin or another Python makes it anew. */
function markerText(release: ClientRelease): string {
  return `${JSON.stringify({ anki: release.version, pins: release.pins })}\n`;
}

function isInstalled(folder: string, release: ClientRelease): boolean {
  const marker = path.join(folder, 'ready.json');
  // `bin/python` is a link to the Python of the machine: after an upgrade of that it may lead nowhere.
  return (
    existsSync(marker) &&
    readFileSync(marker, 'utf8') === markerText(release) &&
    existsSync(path.join(folder, 'bin/python'))
  );
}

/** Installs beside the target and renames at the end: test files that run at the same time cannot disturb each other. */
async function install(folder: string, release: ClientRelease): Promise<void> {
  await mkdir(clientsFolder, { recursive: true });
  const temp = `${folder}.${process.pid}.tmp`;
  try {
    await rm(temp, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', temp], { timeout: installMsMax });
    const python = path.join(temp, 'bin/python');
    const wanted = [`anki==${release.version}`, ...release.pins];
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...wanted], {
      timeout: installMsMax,
    });
    await run(python, ['-c', 'from anki.collection import Collection'], { timeout: installMsMax });
    await writeFile(path.join(temp, 'ready.json'), markerText(release));
    if (isInstalled(folder, release)) return;
    await rm(folder, { recursive: true, force: true });
    await rename(temp, folder);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

function explain(release: ClientRelease, error: unknown): string {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  const detail = (stderr === '' ? messageOf(error) : stderr).split('\n').slice(-3).join(' / ');
  const need =
    release.source === 'pypi'
      ? 'needs python3 (3.9 or later, with venv) and PyPI'
      : 'needs Debian, apt-get as root and its archive';
  return `${need}: ${detail}`;
}
