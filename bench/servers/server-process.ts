import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childEnvironment } from '../../test/support/environment.ts';
import { freePort } from '../../test/support/free-port.ts';
import { type Account, makeAccounts, type PasswordKind } from './accounts.ts';
import { forgetPeak, type ProcessCost, processCost, treeOf } from './process-cost.ts';

export type ServerKind = 'ours' | 'official';

export const projectFolder = path.join(import.meta.dirname, '../..');

/** How the two are started. */
export interface ServerCommands {
  readonly ours: readonly string[];
  /** Undefined when it cannot be had here. */
  readonly official: readonly string[] | undefined;
  /** Words before either command, for limits. */
  readonly prefix: readonly string[];
}

export interface ServerSettings {
  readonly users: number;
  readonly passwords?: PasswordKind;
  /** Puts files into the data folder before the start. */
  readonly prepare?: (base: string, accounts: readonly Account[]) => Promise<void>;
  /**
   * The data folder stays until the whole benchmark is over, for scenarios that make thousands of files: for five minutes
   * ext4 passes over each place of a removed one whenever it makes a new one, and the next run would pay for the last.
   */
  readonly isKept?: boolean;
}

const startMsMax = 120_000;
const stopMsMax = 30_000;
/** Both servers take collections of the size that is sent here only when told so. */
const payloadMegs = '400';

/** A server on a fresh data folder, both gone when it is disposed of, unless the folder is kept. */
export class ServerProcess implements AsyncDisposable {
  readonly kind: ServerKind;
  readonly port: number;
  readonly base: string;
  readonly accounts: readonly Account[];
  /** From starting the process to the first answer of `/health`, milliseconds. */
  readonly startMs: number;
  readonly #isKept: boolean;
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #log: () => string;

  private constructor(
    made: Pick<ServerProcess, 'kind' | 'port' | 'base' | 'accounts' | 'startMs'>,
    isKept: boolean,
    child: ChildProcess,
    log: () => string,
  ) {
    this.kind = made.kind;
    this.port = made.port;
    this.base = made.base;
    this.accounts = made.accounts;
    this.startMs = made.startMs;
    this.#isKept = isKept;
    this.#child = child;
    this.#pid = child.pid ?? 0;
    this.#log = log;
  }

  static async start(
    kind: ServerKind,
    commands: ServerCommands,
    work: string,
    settings: ServerSettings,
  ): Promise<ServerProcess> {
    const command = commands[kind];
    if (command === undefined) throw new Error(`The ${kind} server cannot be had here`);
    await mkdir(work, { recursive: true });
    const base = await mkdtemp(path.join(work, `${kind}-`));
    const accounts = makeAccounts(settings.users, settings.passwords ?? 'quick');
    await settings.prepare?.(base, accounts);
    const port = await freePort();
    const startedMs = performance.now();
    const [program = '', ...rest] = [...commands.prefix, ...command];
    const env = environment(base, port, accounts, settings);
    const child = spawn(program, rest, { cwd: projectFolder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-10_000);
      });
    }
    await healthy(child, port, () => log);
    const startMs = performance.now() - startedMs;
    return new ServerProcess({ kind, port, base, accounts, startMs }, settings.isKept ?? false, child, () => log);
  }

  /** What it printed last. */
  get log(): string {
    return this.#log();
  }

  /** Throws when there is no such account. */
  account(at: number): Account {
    const account = this.accounts[at];
    if (account === undefined) throw new Error(`There are only ${this.accounts.length} accounts`);
    return account;
  }

  cost(): ProcessCost {
    return processCost(this.#pid);
  }

  forgetPeak(): void {
    forgetPeak(this.#pid);
  }

  /** Ends it as its owner would. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    const tree = treeOf(this.#pid);
    // The official server understands SIGINT only. With limits the first process may be a wrapper.
    for (const pid of tree) signal(pid, this.kind === 'official' ? 'SIGINT' : 'SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopMsMax);
    await ended;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (!this.#isKept) await rm(this.base, { recursive: true, force: true });
  }
}

function environment(
  base: string,
  port: number,
  accounts: readonly Account[],
  settings: ServerSettings,
): Record<string, string> {
  return childEnvironment({
    SYNC_BASE: base,
    SYNC_HOST: '127.0.0.1',
    SYNC_PORT: String(port),
    MAX_SYNC_PAYLOAD_MEGS: payloadMegs,
    ...(settings.passwords === 'plain' ? {} : { PASSWORDS_HASHED: '1' }),
    ...Object.fromEntries(accounts.map(({ setting }, at) => [`SYNC_USER${at + 1}`, setting])),
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Ended meanwhile.
  }
}

async function healthy(child: ChildProcess, port: number, log: () => string): Promise<void> {
  const deadline = performance.now() + startMsMax;
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`The server ended:\n${log()}`);
    if (await answersHealth(port)) return;
    await sleep(2);
  }
  child.kill('SIGKILL');
  throw new Error(`The server does not answer:\n${log()}`);
}

function answersHealth(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => resolve(false));
  socket.on('close', () => resolve(false));
  socket.once('data', (bytes) => {
    resolve(bytes.toString('latin1').startsWith('HTTP/1.1 200'));
    socket.destroy();
  });
  socket.write('GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  return promise;
}
