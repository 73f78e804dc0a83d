import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostKeyOf } from '../../src/accounts/host-key.ts';
import { childEnvironment } from '../support/environment.ts';
import { RawClient } from '../support/raw-client.ts';

const program = path.join(import.meta.dirname, '../../bin/anki-sync-server');
const waitMsMax = 30_000;

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: `ann`. */
  readonly users?: readonly string[];
  /** Of the server. */
  readonly args?: readonly string[];
  /** Runs the program, such as a supervisor; the program's own path follows. */
  readonly under?: readonly string[];
  readonly stdio?: SpawnOptions['stdio'];
}

/** The program as its owner starts it: users, a temporary folder, everything else from the settings. */
export class Program implements AsyncDisposable {
  readonly users: readonly string[];
  /** Of every user. */
  readonly password = randomBytes(9).toString('base64url');
  readonly folder: string;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = '';

  static async start(options: ProgramOptions = {}): Promise<Program> {
    return new Program(await mkdtemp(path.join(os.tmpdir(), 'anki-network-')), options);
  }

  private constructor(folder: string, { env = {}, users = ['ann'], args = [], under = [], stdio }: ProgramOptions) {
    this.folder = folder;
    this.users = users;
    const [command = program, ...rest] = [...under, program, ...args];
    const accounts = users.map((user, n) => [`SYNC_USER${n + 1}`, `${user}:${this.password}`]);
    const settings = { ...Object.fromEntries(accounts), SYNC_BASE: path.join(folder, 'data'), ...env };
    this.child = spawn(command, rest, {
      env: childEnvironment(settings),
      stdio: stdio ?? ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  /** Waits for a text in the output, from `from` on, and returns the match. */
  async printed(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    const deadline = performance.now() + waitMsMax;
    for (;;) {
      const found = pattern.exec(this.output.slice(from));
      if (found !== null) return found;
      const isOver = this.child.exitCode !== null || this.child.signalCode !== null;
      if (isOver || performance.now() > deadline) throw new Error(`never printed ${pattern}:\n${this.output}`);
      await sleep(20);
    }
  }

  /** Waits until it listens. Returns the addresses to type into clients, in its own order. */
  async urls(): Promise<readonly string[]> {
    await this.printed(/Type one of these|It listens on no address/);
    await sleep(50); // The lines behind it.
    return [...this.output.matchAll(/^ {2}(https?:\S+)/gm)].map(([, url = '']) => url);
  }

  /** The first port on which it listens, whatever the format of its log. */
  async port(): Promise<number> {
    const line = await this.printed(/^.*\blistening\b.*$/m);
    return Number(/"?addr"?[=:]"[^"]*?:(\d+)[", ]/.exec(line[0])?.[1]);
  }

  hostKey(user = 'ann'): string {
    return hostKeyOf(`${user}:${this.password}`);
  }

  rawClient(url: string, user = 'ann'): RawClient {
    return new RawClient(url, this.hostKey(user));
  }

  /** Asks it to end, and returns the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}
