import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { MiB } from '../../limits.ts';
import { sizeText } from '../commands/table.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What the system grants to processes of this account. */
export interface SystemLimits {
  /** `24.7.0` */
  readonly nodeVersion: string;
  /** How many files may be open at once; undefined where that cannot be told. */
  readonly openFilesMax: number | undefined;
  /** Memory for all processes of this container or service, bytes; undefined when nothing is set. */
  readonly memoryBytesMax: number | undefined;
  /** Memory that is free for whoever asks, bytes. */
  readonly memoryFreeBytes: number;
}

/** Measured: two users at once with collections of 500 MB stay below 250 MiB. */
const memoryBytesWanted = 256 * MiB;
/** Right after the start the server takes about 115 MiB. */
const memoryBytesMin = 128 * MiB;
/** Each connection is a file, each open collection three, and each lane may have some more at work. */
const openFilesWanted = 1024;

export function gatherLimits(): SystemLimits {
  const limit = process.constrainedMemory();
  const isLimited = limit > 0 && limit < 2 ** 50; // Without a limit the number is 0 or as large as can be.
  return {
    nodeVersion: process.versions.node,
    openFilesMax: readOpenFilesMax(),
    memoryBytesMax: isLimited ? limit : undefined,
    memoryFreeBytes: freemem(),
  };
}

function readOpenFilesMax(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
  } catch {
    return undefined; // Only Linux tells.
  }
}

/** Is there enough of what a server needs? */
export function judgeLimits(limits: SystemLimits): readonly Finding[] {
  return [ok(`Node.js ${limits.nodeVersion}`), ...judgeFiles(limits), ...judgeMemory(limits)];
}

function judgeFiles({ openFilesMax }: SystemLimits): Finding[] {
  if (openFilesMax === undefined) return [];
  const text = `processes of this account may have ${openFilesMax} files open at once`;
  if (openFilesMax >= openFilesWanted) return [ok(text)];
  return [
    warning(
      text,
      `Allow ${openFilesWanted} or more: LimitNOFILE= in a systemd unit, ulimit -n in a shell, --ulimit nofile= for a container.`,
    ),
  ];
}

function judgeMemory({ memoryBytesMax, memoryFreeBytes }: SystemLimits): Finding[] {
  if (memoryBytesMax !== undefined && memoryBytesMax < memoryBytesWanted) {
    const text = `the memory is limited to ${sizeText(memoryBytesMax)}`;
    const remedy = `Allow ${sizeText(memoryBytesWanted)} or more: MemoryMax= in a systemd unit, --memory for a container.`;
    return [memoryBytesMax < memoryBytesMin ? problem(text, remedy) : warning(text, remedy)];
  }
  const free = `${sizeText(memoryFreeBytes)} of memory are free`;
  if (memoryFreeBytes >= memoryBytesMin) return [ok(free)];
  return [
    warning(`only ${free}`, 'Stop other programs or add memory; the system may end the server when it runs out.'),
  ];
}
