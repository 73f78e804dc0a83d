import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const startMsMax = 30_000;

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A program that was installed, in a process of its own, with this environment only. Ended when it is disposed of. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess;
  /** What it printed. */
  output = '';
  readonly #ended: Promise<number | NodeJS.Signals | null>;

  constructor(command: string, { args = [], env = {}, cwd }: ProgramOptions = {}) {
    this.child = spawn(command, args, {
      env: { ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.#ended = new Promise((resolve, reject) => {
      this.child.once('error', reject).once('close', (code, signal) => resolve(code ?? signal));
    });
    this.#ended.catch(() => {}); // Heard by whoever waits for it.
  }

  get pid(): number {
    assert.ok(this.child.pid !== undefined, 'the program was not started');
    return this.child.pid;
  }

  /** The address that it prints. */
  async url(): Promise<string> {
    for (const endMs = Date.now() + startMsMax; Date.now() < endMs; await sleep(20)) {
      const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(this.output)?.[0];
      if (url !== undefined) return url;
      if (this.child.exitCode !== null || this.child.signalCode !== null) break;
    }
    throw new Error(`the program tells no address:\n${this.output}`);
  }

  /** Waits for its end: exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals | null> {
    return this.#ended;
  }

  /** Asks it to end, as a supervisor would. */
  async terminate(): Promise<number | NodeJS.Signals | null> {
    this.child.kill('SIGTERM');
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.#ended.catch(() => {});
  }
}

/** Runs a program to its end and returns what it printed; fails with that when the exit code is not 0. */
export async function runToEnd(command: string, options: ProgramOptions = {}): Promise<string> {
  await using program = new Program(command, options);
  const code = await program.ended();
  assert.equal(code, 0, `${command} ${options.args?.join(' ')}:\n${program.output}`);
  return program.output;
}

/** The arguments with which a process runs. Linux only. */
export async function commandLineOf(pid: number): Promise<string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
}

/** Processes that a process has started. Linux only. */
export async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8')));
  return lists.join(' ').trim().split(/\s+/).filter(Boolean).map(Number);
}
