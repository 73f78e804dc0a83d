import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** What a process and everything below it have used. */
export interface ProcessCost {
  /** Processor time in user and kernel mode since the start, milliseconds; one tick of the kernel is 10 ms. */
  readonly cpuMs: number;
  /** Resident now, bytes. */
  readonly residentBytes: number;
  /** Highest resident size since the start or the last `forgetPeak`, bytes; of several processes the sum. */
  readonly peakBytes: number;
  readonly threads: number;
  readonly openFiles: number;
}

/** Ticks of `utime` and `stime` in a second (`USER_HZ`): 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Reads the cost from `/proc`, which only Linux has. A process that has ended meanwhile counts as nothing. */
export function processCost(pid: number): ProcessCost {
  const parts = treeOf(pid).map(costOfOne);
  const sum = (pick: (part: ProcessCost) => number) => parts.reduce((total, part) => total + pick(part), 0);
  return {
    cpuMs: sum(({ cpuMs }) => cpuMs),
    residentBytes: sum(({ residentBytes }) => residentBytes),
    peakBytes: sum(({ peakBytes }) => peakBytes),
    threads: sum(({ threads }) => threads),
    openFiles: sum(({ openFiles }) => openFiles),
  };
}

/** Lets the peak begin anew at what is resident now. */
export function forgetPeak(pid: number): void {
  for (const each of treeOf(pid)) {
    try {
      writeFileSync(`/proc/${each}/clear_refs`, '5');
    } catch {
      // Not allowed in some containers: the peak then counts from the start of the process, which is only higher.
    }
  }
}

/** The process and all below it. */
export function treeOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(treeOf)];
}

function costOfOne(pid: number): ProcessCost {
  // The name in brackets may hold blanks; behind it stand the fields from the third one on.
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  const status = read(`/proc/${pid}/status`);
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
  return {
    cpuMs: (ticks * 1000) / ticksPerSecond,
    residentBytes: kib('VmRSS') * 1024,
    peakBytes: kib('VmHWM') * 1024,
    threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1] ?? 0),
    openFiles: countOf(`/proc/${pid}/fd`),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function countOf(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0;
  }
}
