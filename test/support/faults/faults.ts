import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { faultsLibrary } from './faults-library.ts';
import { parseTrace, type TraceRecord } from './trace.ts';

/** What a process does with files, in the order of the library's numbers. */
export const CALLS = [
  'open to read',
  'open to write',
  'create',
  'read',
  'write',
  'truncate',
  'sync',
  'rename',
  'link',
  'unlink',
  'rmdir',
  'mkdir',
  'copy',
  'send',
] as const;
export type Call = (typeof CALLS)[number];

/** Calls that change what a disk holds, or make it durable: a process may die between any two of them. */
export const CHANGING_CALLS: readonly Call[] = [
  'create',
  'write',
  'truncate',
  'sync',
  'rename',
  'link',
  'unlink',
  'rmdir',
  'mkdir',
  'copy',
];

export type DiskError = 'ENOSPC' | 'EDQUOT' | 'EIO' | 'EROFS' | 'EMFILE';

/** Which calls end with that error on a real machine. */
export const CALLS_OF_ERROR: Readonly<Record<DiskError, readonly Call[]>> = {
  ENOSPC: ['create', 'write', 'truncate', 'sync', 'rename', 'link', 'mkdir', 'copy'],
  EDQUOT: ['create', 'write', 'rename', 'link', 'mkdir', 'copy'],
  EIO: [...CHANGING_CALLS, 'read', 'open to read', 'open to write'],
  EROFS: ['open to write', 'create', 'write', 'truncate', 'rename', 'link', 'unlink', 'rmdir', 'mkdir'],
  EMFILE: ['open to read', 'open to write', 'create'],
};

/** The numbers are those of the library. */
const MODES = { count: 0, 'die before': 1, 'die in': 2, 'fail once': 3, 'fail from': 4 } as const;

export interface Fault {
  /** `die in` stores half of a write and dies; before other calls. */
  readonly mode: keyof typeof MODES;
  /** Calls that count as steps. */
  readonly calls: readonly Call[];
  /** The step at which it happens, from 1 on. */
  readonly at?: number;
  readonly error?: DiskError;
}

/** Offsets of the library's control page: see faults.c. */
const offsets = { steps: 0, hits: 40, kind: 48, tracing: 56, records: 64, path: 128 };
const pageBytes = 4096;
const pathBytes = 384;

/**
 * Holds the disk of a process in its hand: every process started with `environment` has its calls on files below `folder`
 * counted, failed, recorded, or dies in them. Nothing happens until it is armed.
 */
export class Faults implements Disposable {
  /** To be merged into the environment of the process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #home = mkdtempSync(path.join(tmpdir(), 'faults-'));
  readonly #trace = path.join(this.#home, 'trace');
  readonly #page: number;

  /** Fails with the reason when this machine cannot have it; see `skipWithoutFaults()`. */
  constructor(folder: string) {
    const library = faultsLibrary();
    const control = path.join(this.#home, 'control');
    this.#page = openSync(control, 'w+');
    ftruncateSync(this.#page, pageBytes);
    this.environment = {
      LD_PRELOAD: library,
      FAULTS_FOLDER: folder,
      FAULTS_CONTROL: control,
      FAULTS_TRACE: this.#trace,
      UV_USE_IO_URING: '0', // Its calls do not go through the C library.
    };
  }

  /** Begins to count steps, from 1 on, and to let one go wrong. */
  arm({ mode, calls, at = 0, error = 'EIO' }: Fault): void {
    this.disarm();
    const mask = calls.reduce((bits, call) => bits | (1n << BigInt(CALLS.indexOf(call))), 0n);
    const code = constants.errno[error];
    const fields = [0n, BigInt(MODES[mode]), BigInt(at), BigInt(code), mask, 0n, 0n];
    // The mask comes last: without it nothing counts.
    this.#write(0, fields.slice(0, 4));
    this.#write(40, fields.slice(5));
    this.#write(32, [mask]);
  }

  /** From here on nothing goes wrong; what was counted can still be read. */
  disarm(): void {
    this.#write(32, [0n]);
  }

  /** Steps since it was armed. */
  get steps(): number {
    return this.#read(offsets.steps);
  }

  /** What went wrong last, in words; undefined when nothing did. */
  get hit(): string | undefined {
    if (this.#read(offsets.hits) === 0) return undefined;
    const bytes = Buffer.alloc(pathBytes);
    readSync(this.#page, bytes, 0, pathBytes, offsets.path);
    const file = bytes.toString('utf8', 0, bytes.indexOf(0));
    return `${CALLS[this.#read(offsets.kind)] ?? '?'} ${file}`;
  }

  /** Keeps a trace of everything that reaches the disk from now on. */
  startTrace(): void {
    this.#write(offsets.tracing, [1n]);
  }

  stopTrace(): void {
    this.#write(offsets.tracing, [0n]);
  }

  /** Records in the trace by now. */
  get records(): number {
    return this.#read(offsets.records);
  }

  /** The trace so far; paths are relative to the folder. */
  readTrace(): TraceRecord[] {
    return parseTrace(readFileSync(this.#trace), this.environment['FAULTS_FOLDER'] ?? '');
  }

  [Symbol.dispose](): void {
    closeSync(this.#page);
    rmSync(this.#home, { recursive: true });
  }

  #write(offset: number, values: readonly bigint[]): void {
    const bytes = new BigInt64Array(values);
    writeSync(this.#page, bytes, 0, bytes.byteLength, offset);
  }

  #read(offset: number): number {
    const bytes = Buffer.alloc(8);
    readSync(this.#page, bytes, 0, 8, offset);
    return Number(bytes.readBigInt64LE());
  }
}
