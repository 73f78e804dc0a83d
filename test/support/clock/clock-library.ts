import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../../src/errors.ts';

const source = path.join(import.meta.dirname, 'clock.c');
const cacheFolder = path.join(import.meta.dirname, '../../../.cache/clock');

/**
 * For `skip` of tests that need a controlled clock: the reason why this machine cannot have one, else false. Where nobody
 * reads what was skipped (`CI=true`) such tests fail instead.
 */
export function skipWithoutClock(): string | false {
  try {
    clockLibrary();
    return false;
  } catch (error) {
    if (process.env.CI === 'true') return false;
    return messageOf(error);
  }
}

/** The path of the compiled clock.c; compiled at the first use, by `cc` or `gcc`, which root may have to install first. */
export function clockLibrary(): string {
  if (process.platform !== 'linux') throw new Error(`no controlled clock: ${process.platform} has no LD_PRELOAD`);
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const library = path.join(cacheFolder, `clock-${process.arch}-${digest}.so`);
  if (existsSync(library)) return library;
  mkdirSync(cacheFolder, { recursive: true });
  const compiler = findCompiler() ?? installCompiler();
  // Test files run at the same time: each compiles under a name of its own, the last rename wins with equal bytes.
  const temp = `${library}.${randomUUID()}.tmp`;
  const run = spawnSync(compiler, ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', temp, source, '-ldl'], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(`no controlled clock: ${compiler} failed: ${run.stderr}`);
  renameSync(temp, library);
  return library;
}

function findCompiler(): string | undefined {
  return ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
}

function installCompiler(): string {
  if (process.getuid?.() === 0) {
    spawnSync('apt-get', ['update', '-q'], { stdio: 'ignore' });
    spawnSync('apt-get', ['install', '-qy', '--no-install-recommends', 'gcc', 'libc6-dev'], { stdio: 'ignore' });
  }
  const compiler = findCompiler();
  if (compiler === undefined) throw new Error('no controlled clock: no C compiler (install gcc)');
  return compiler;
}
