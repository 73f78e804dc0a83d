import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../src/errors.ts';

const run = promisify(execFile);

const cache = path.resolve(import.meta.dirname, '../../.cache/prometheus');
const program = path.join(cache, 'bin/promtool');
const prometheus = path.join(cache, 'bin/prometheus');
const downloadMsMax = 3 * 60 * 1000;

/** Prometheus and its own checker, or the reason why they cannot be had here. */
export type Promtool =
  | { readonly kind: 'ready'; readonly program: string; readonly prometheus: string }
  | { readonly kind: 'missing'; readonly reason: string };

let prepared: Promise<Promtool> | undefined;

/**
 * `promtool` and `prometheus` out of Debian's package, which is only unpacked. Never throws when it cannot be had, except
 * with `CI=true`.
 */
export async function preparePromtool(): Promise<Promtool> {
  prepared ??= prepare();
  const promtool = await prepared;
  if (promtool.kind === 'missing' && process.env.CI === 'true') throw new Error(`promtool: ${promtool.reason}`);
  return promtool;
}

async function prepare(): Promise<Promtool> {
  try {
    if (!existsSync(program)) await unpack();
    return { kind: 'ready', program, prometheus };
  } catch (error) {
    return { kind: 'missing', reason: `needs Debian, apt-get and its archive: ${messageOf(error)}` };
  }
}

/** The folder is renamed to its place when it is whole: tests that run at the same time cannot disturb each other. */
async function unpack(): Promise<void> {
  if (!existsSync('/var/lib/dpkg/status')) throw new Error('this is not Debian');
  await mkdir(cache, { recursive: true });
  const temp = await mkdtemp(`${cache}/unpack-`);
  try {
    const download = () =>
      run('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', 'prometheus'], {
        cwd: temp,
        timeout: downloadMsMax,
      });
    await download().catch(async () => {
      await run('apt-get', ['update', '-qq'], { timeout: downloadMsMax });
      await download();
    });
    await run('bash', ['-c', 'dpkg -x prometheus_*.deb .'], { cwd: temp });
    await rename(path.join(temp, 'usr/bin'), path.dirname(program)).catch((error: unknown) => {
      if (!existsSync(program)) throw error; // Another process was first.
    });
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}
