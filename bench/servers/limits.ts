import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';

/** How the servers are held down, as on a small computer. */
export interface MachineLimits {
  /** Processor cores that they may use; all of them when undefined. */
  readonly cores: number | undefined;
  /** Memory that they may use, bytes; no bound when undefined. */
  readonly memoryBytes: number | undefined;
}

/** The words before the command that put it under these limits, and what could not be done. */
export interface LimitedCommand {
  readonly prefix: readonly string[];
  /** For the report: what holds, and what this machine does not allow. */
  readonly notes: readonly string[];
  /** To be called when no server runs any more. */
  release(): void;
}

interface Bound {
  readonly prefix: readonly string[];
  readonly how: string;
  release(): void;
}

/**
 * Cores are bound by `taskset`, memory by a scope of systemd or, where that does not run, by a control group. `ulimit -v` is
 * no help: it counts reserved addresses, of which Node takes gigabytes. Where nothing else is allowed the report says so, and
 * the measured peak has to do.
 */
export function limitedCommand({ cores, memoryBytes }: MachineLimits): LimitedCommand {
  const prefix: string[] = [];
  const notes: string[] = [];
  let release = (): void => {};
  if (memoryBytes !== undefined) {
    const bound = systemdScope(memoryBytes) ?? controlGroup(memoryBytes);
    const megs = Math.round(memoryBytes / 1024 / 1024);
    if (bound === undefined) {
      notes.push('The memory is not bound: neither systemd nor a control group can be used here.');
    } else {
      prefix.push(...bound.prefix);
      release = bound.release;
      notes.push(`Servers may use ${megs} MiB of memory, files in the system's cache included (${bound.how}).`);
    }
  }
  if (cores !== undefined) {
    const pin = ['taskset', '--cpu-list', cores === 1 ? '0' : `0-${cores - 1}`];
    if (runs([...pin, 'true'])) {
      prefix.push(...pin);
      notes.push(`Servers may use ${cores} ${cores === 1 ? 'core' : 'cores'} (taskset); the load comes from all.`);
    } else {
      notes.push('The cores are not bound: taskset is not usable here.');
    }
  }
  return { prefix, notes, release };
}

function systemdScope(bytes: number): Bound | undefined {
  const prefix = ['systemd-run', '--scope', '--quiet', '-p', `MemoryMax=${bytes}`, '-p', 'MemorySwapMax=0'];
  return runs([...prefix, 'true']) ? { prefix, how: 'systemd scope', release: () => {} } : undefined;
}

/** Needs root. The folders are those of version 1 and of version 2. */
function controlGroup(bytes: number): Bound | undefined {
  const isFirst = existsSync('/sys/fs/cgroup/memory');
  const folder = `/sys/fs/cgroup/${isFirst ? 'memory/' : ''}anki-bench-${process.pid}`;
  try {
    mkdirSync(folder);
    writeFileSync(`${folder}/${isFirst ? 'memory.limit_in_bytes' : 'memory.max'}`, String(bytes));
  } catch {
    return undefined;
  }
  const enter = `echo $$ > ${folder}/cgroup.procs && exec "$@"`;
  return { prefix: ['sh', '-c', enter, 'sh'], how: 'control group', release: () => rmdirSync(folder) };
}

function runs([command = '', ...rest]: readonly string[]): boolean {
  return spawnSync(command, rest, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}
