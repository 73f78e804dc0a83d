import { parseArgs } from 'node:util';
import type { SIZES } from './data/collections.ts';
import type { MachineLimits } from './servers/limits.ts';

export type SizeName = keyof typeof SIZES;

/** How much of everything is done. */
export interface Amounts {
  /** Runs of each scenario with each server. */
  readonly rounds: number;
  readonly fullSyncSizes: readonly SizeName[];
  readonly syncSizes: readonly SizeName[];
  readonly metaRequests: number;
  readonly emptySyncs: number;
  readonly dailySyncs: number;
  /** Users who sync at once. */
  readonly crowds: readonly number[];
  readonly crowdRounds: number;
  readonly bulkRows: number;
  readonly mediaFiles: number;
  readonly largeMediaFiles: number;
  readonly mediaFilesPerUser: number;
  readonly mediaNames: number;
  readonly startUsers: readonly number[];
  readonly startPlainUsers: readonly number[];
  readonly logins: number;
  readonly bystandMs: number;
  readonly servedUsers: number;
  /** How long a server that has served everybody is left alone before its memory is read, milliseconds. */
  readonly restMs: number;
  readonly soakMs: number;
  readonly curveSizes: readonly SizeName[];
  readonly curvePending: readonly number[];
  readonly curveMedia: readonly number[];
  readonly curveUsers: readonly number[];
}

export const LENGTHS = ['quick', 'normal', 'full'] as const;
export type Length = (typeof LENGTHS)[number];

const normal: Amounts = {
  rounds: 3,
  fullSyncSizes: ['medium', 'large'],
  syncSizes: ['tiny', 'medium', 'large'],
  metaRequests: 6_000,
  emptySyncs: 60,
  dailySyncs: 12,
  crowds: [16, 32, 64],
  crowdRounds: 6,
  bulkRows: 20_000,
  mediaFiles: 5_000,
  largeMediaFiles: 6,
  mediaFilesPerUser: 500,
  mediaNames: 100_000,
  startUsers: [1, 200, 1_000],
  startPlainUsers: [20],
  logins: 8,
  bystandMs: 3_000,
  servedUsers: 200,
  restMs: 45_000,
  soakMs: 60 * 60_000,
  curveSizes: ['tiny', 'medium', 'large', 'huge'],
  curvePending: [250, 1_000, 5_000, 20_000],
  curveMedia: [0, 10_000, 50_000, 100_000],
  curveUsers: [10, 100, 1_000, 4_000],
};

export const AMOUNTS: Readonly<Record<Length, Amounts>> = {
  quick: {
    ...normal,
    rounds: 1,
    fullSyncSizes: ['tiny'],
    syncSizes: ['tiny'],
    metaRequests: 50,
    emptySyncs: 3,
    dailySyncs: 2,
    crowds: [4],
    crowdRounds: 2,
    bulkRows: 1_000,
    mediaFiles: 60,
    largeMediaFiles: 1,
    mediaFilesPerUser: 30,
    mediaNames: 2_500,
    startUsers: [1, 20],
    startPlainUsers: [2],
    logins: 2,
    bystandMs: 300,
    servedUsers: 5,
    restMs: 100,
    soakMs: 3_000,
    curveSizes: ['tiny'],
    curvePending: [250],
    curveMedia: [0, 500],
    curveUsers: [2, 20],
  },
  normal,
  full: { ...normal, rounds: 5, fullSyncSizes: ['medium', 'large', 'huge'], startPlainUsers: [20, 200] },
};

export interface Options {
  readonly length: Length;
  readonly amounts: Amounts;
  /** Names of scenarios, or parts of them; all when empty. */
  readonly only: readonly string[];
  readonly servers: readonly ('ours' | 'official')[];
  readonly limits: MachineLimits;
  readonly soak: boolean;
  readonly curves: boolean;
  /** Writes the table into the documentation. */
  readonly write: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

export const usage = `Measures this server and Anki's own side by side, and checks every answer.

  npm run bench -- [options]

  --quick            tiny amounts, to see that everything works
  --full             every size, more rounds (about half an hour)
  --soak             50 users at work for an hour; memory and file handles must not grow
  --curves           how the cost grows with sizes and numbers
  --only <name>      one scenario, or all whose name holds this; may be repeated
  --server <which>   ours or official; both in turn by default
  --rounds <n>       runs of each scenario with each server
  --minutes <n>      length of the soak
  --cpu <n>          the servers may use so many cores
  --memory <n>M      the servers may use so many MiB of memory
  --write            writes the tables into docs/performance.md
  --list             names the scenarios
`;

/** What the command line asks for. Throws with a text for its user. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      soak: { type: 'boolean', default: false },
      curves: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      server: { type: 'string' },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
      cpu: { type: 'string' },
      memory: { type: 'string' },
      write: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  const length = values.quick ? 'quick' : values.full ? 'full' : 'normal';
  const rounds = values.rounds === undefined ? {} : { rounds: wholeNumber('--rounds', values.rounds) };
  const soak = values.minutes === undefined ? {} : { soakMs: wholeNumber('--minutes', values.minutes) * 60_000 };
  return {
    length,
    amounts: { ...AMOUNTS[length], ...rounds, ...soak },
    only: values.only,
    servers: readServers(values.server),
    limits: {
      cores: values.cpu === undefined ? undefined : wholeNumber('--cpu', values.cpu),
      memoryBytes: values.memory === undefined ? undefined : readMegs(values.memory),
    },
    soak: values.soak,
    curves: values.curves,
    write: values.write,
    list: values.list,
    help: values.help,
  };
}

function readServers(text: string | undefined): Options['servers'] {
  if (text === undefined) return ['official', 'ours'];
  if (text === 'ours' || text === 'official') return [text];
  throw new Error(`--server takes ours or official, not ${text}`);
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`${option} takes a whole number from 1 on, not ${text}`);
  return Number(text);
}

function readMegs(text: string): number {
  const megs = /^([1-9]\d{0,5})M$/.exec(text)?.[1];
  if (megs === undefined) throw new Error(`--memory takes a number of MiB such as 256M, not ${text}`);
  return Number(megs) * 1024 * 1024;
}
