import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../../src/errors.ts';

const source = path.join(import.meta.dirname, 'faults.c');
const cacheFolder = path.join(import.meta.dirname, '../../../.cache/faults');

/**
 * For `skip` of tests that need a failing disk: the reason why this machine cannot have one, else false. With `CI=true`
 * such tests fail instead.
 */
export function skipWithoutFaults(): string | false {
  try {
    faultsLibrary();
    return false;
  } catch (error) {
    if (process.env.CI === 'true') return false;
    return messageOf(error);
  }
}

/** The path of the compiled faults.c; compiled at the first use. */
export function faultsLibrary(): string {
  if (process.platform !== 'linux') throw new Error(`no failing disk: ${process.platform} has no LD_PRELOAD`);
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const library = path.join(cacheFolder, `faults-${process.arch}-${digest}.so`);
  if (existsSync(library)) return library;
  mkdirSync(cacheFolder, { recursive: true });
  const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined) throw new Error('no failing disk: no C compiler (install gcc and libc6-dev)');
  // Test files run at the same time: each compiles under a name of its own, the last rename wins with equal bytes.
  const temp = `${library}.${randomUUID()}.tmp`;
  const options = ['-shared', '-fPIC', '-O2', '-Wall', '-o', temp, source, '-ldl', '-pthread'];
  const run = spawnSync(compiler, options, { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`no failing disk: ${compiler} failed: ${run.stderr}`);
  renameSync(temp, library);
  return library;
}
