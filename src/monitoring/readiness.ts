import { randomUUID } from 'node:crypto';
import { rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../errors.ts';
import type { WorkState } from '../lanes/work-state.ts';
import { MiB } from '../limits.ts';
import type { Log } from '../log.ts';
import { bytesInWords } from './sync-words.ts';

/** A thread that does not answer for this long is stuck, milliseconds. Its steps are short; long work has other threads. */
export const threadAnswerMsMax = 3_000;
/** A message that takes this long hangs, milliseconds: its client has given up long ago. */
export const laneBusyMsMax = 5 * 60 * 1000;
/** With less space than this nothing useful can be stored, bytes. */
export const freeBytesMin = 64 * MiB;
/** A finding holds this long, milliseconds: whoever asks more often costs nothing more. */
const cacheMs = 1_000;

export interface ReadinessOptions {
  /** A folder of the server on the disk of the data. */
  readonly folder: string;
  readonly state: (answerMsMax: number) => Promise<WorkState>;
  readonly log: Log;
}

/**
 * Can the server do its work? Says so to strangers as well, so that no finding names a user or a path. While it cannot,
 * the log has one line for each change.
 */
export class Readiness {
  readonly #options: ReadinessOptions;
  #finding: Promise<readonly string[]> | undefined;
  #lastProblems = '';
  #isStopping = false;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** From now on it is not ready. */
  stop(): void {
    this.#isStopping = true;
  }

  /** What is wrong, one sentence each; empty when all is well. */
  problems(): Promise<readonly string[]> {
    if (this.#isStopping) return Promise.resolve(['The server is stopping.']);
    this.#finding ??= this.#look().finally(() => {
      setTimeout(() => {
        this.#finding = undefined;
      }, cacheMs).unref();
    });
    return this.#finding;
  }

  async #look(): Promise<readonly string[]> {
    const { folder, state } = this.#options;
    const [lanes, disk] = await Promise.all([state(threadAnswerMsMax).then(problemsOfWork), problemsOfDisk(folder)]);
    const problems = [...lanes, ...disk];
    this.#tellChange(problems);
    return problems;
  }

  #tellChange(problems: readonly string[]): void {
    const { log } = this.#options;
    const text = problems.join(' ');
    if (text === this.#lastProblems || this.#isStopping) return;
    if (text === '') log.info({}, 'Ready again');
    else log.warn({ reason: text }, 'Not ready: /ready answers 503 until this is over');
    this.#lastProblems = text;
  }
}

/** What is wrong with the work that goes on. */
export function problemsOfWork({ threads, longestMs }: Pick<WorkState, 'threads' | 'longestMs'>): string[] {
  const problems: string[] = [];
  const stuck = threads.filter((counts) => counts === undefined).length;
  if (stuck > 0) {
    const seconds = threadAnswerMsMax / 1000;
    problems.push(`${stuck} of ${threads.length} threads for collections did not answer within ${seconds} s.`);
  }
  if (longestMs > laneBusyMsMax) problems.push(`A message has been worked on for ${Math.round(longestMs / 1000)} s.`);
  return problems;
}

/** Can something be written, and is there room for more? */
async function problemsOfDisk(folder: string): Promise<string[]> {
  const file = path.join(folder, `ready-${randomUUID()}.tmp`);
  try {
    await writeFile(file, 'ready', { flag: 'wx' });
    await rm(file);
    const { bavail, bsize } = await statfs(folder);
    return problemsOfSpace(bavail * bsize);
  } catch (error) {
    return [`The data folder cannot be written: ${codeOf(error)}.`];
  }
}

export function problemsOfSpace(freeBytes: number): string[] {
  if (freeBytes >= freeBytesMin) return [];
  return [`The disk of the data folder is nearly full: ${bytesInWords(freeBytes)} are free.`];
}

/** The message would name the path. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
}
