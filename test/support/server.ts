import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/errors.ts';
import { type ClientVersion, newestClient } from './clients.ts';
import { Device } from './device.ts';
import { childEnvironment } from './environment.ts';
import { freePort } from './free-port.ts';
import { preparePythonEnv } from './python-envs.ts';
import { RawClient } from './raw-client.ts';

const projectFolder = path.join(import.meta.dirname, '../..');
const startMsMax = 60_000;
const stopMsMax = 10_000;
const logCharsKept = 1_000_000;
/** In the entry of the log that says where the server listens, as text or as JSON. */
const listeningPort =
  / listening addr="127\.0\.0\.1:(?<port>\d+)"|"addr":"127\.0\.0\.1:(?<port>\d+)"[^\n]*"msg":"listening"/;

/** Which server is under test: this project's, or the one of Anki that it stands in for. */
export type ServerKind = 'ours' | 'official';

/** The server that `TEST_SERVER` asks for; this project's own by default. */
export const serverUnderTest: ServerKind = process.env.TEST_SERVER === 'official' ? 'official' : 'ours';

export interface ServerOptions {
  readonly kind?: ServerKind;
  /** Names, or how many accounts are made up. Default: one. Passwords are made up. */
  readonly users?: readonly string[] | number;
  /** `plain` puts the passwords into the settings as they are: each costs the official server 0.2 s at its start. */
  readonly passwords?: 'hashed' | 'plain';
  /** More settings, for example `MAX_SYNC_PAYLOAD_MEGS`. */
  readonly env?: Readonly<Record<string, string>>;
  /** A data folder that stays when the server is disposed of. Default: a temporary one. */
  readonly base?: string;
}

interface Account {
  readonly password: string;
  /** The value of `SYNC_USERn`. */
  readonly setting: string;
}

/** Starts a server and waits until it answers. Use `await using`. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const base = options.base ?? (await mkdtemp(path.join(os.tmpdir(), 'anki-sync-base-')));
  const server = new Server(options, base);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** A server process with accounts of its own. Its address and its folder outlive a kill and a restart. */
export class Server {
  readonly kind: ServerKind;
  /** Where the data lie: `<base>/<user>/collection.anki2`, … */
  readonly base: string;
  readonly users: readonly string[];
  readonly #accounts = new Map<string, Account>();
  readonly #env: Readonly<Record<string, string>>;
  readonly #keepsBase: boolean;
  #child: ChildProcess | undefined;
  #port = 0;
  #log = '';
  #nextUser = 0;

  constructor(options: ServerOptions, base: string) {
    this.kind = options.kind ?? serverUnderTest;
    this.base = base;
    this.#keepsBase = options.base !== undefined;
    const run = randomBytes(3).toString('hex'); // So that no other test run on this machine has the same accounts.
    const users = options.users ?? 1;
    this.users = typeof users === 'number' ? Array.from({ length: users }, (_, n) => `user${n + 1}-${run}`) : users;
    const hashed = options.passwords !== 'plain';
    for (const user of this.users) this.#accounts.set(user, makeAccount(user, hashed));
    const accounts = [...this.#accounts.values()].map((account, n) => [`SYNC_USER${n + 1}`, account.setting]);
    this.#env = { ...Object.fromEntries(accounts), ...(hashed ? { PASSWORDS_HASHED: '1' } : {}), ...options.env };
  }

  /** `http://127.0.0.1:PORT/` */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What it printed, the last megabyte. */
  get log(): string {
    return this.#log;
  }

  password(user: string): string {
    return this.#account(user).password;
  }

  /** The key that official clients got for this account: SHA-1 of the whole setting. */
  hostKey(user: string): string {
    return createHash('sha1').update(this.#account(user).setting).digest('hex');
  }

  /** An account that no other scenario uses. */
  unusedUser(): string {
    const user = this.users[this.#nextUser++];
    if (user === undefined) throw new Error(`the server has only ${this.users.length} accounts`);
    return user;
  }

  /** A new device with an empty collection that is logged in already. */
  device(options: {
    readonly version: ClientVersion;
    readonly user?: string;
    readonly name?: string;
  }): Promise<Device> {
    const { user = this.users[0] ?? '', ...rest } = options;
    return Device.create({ ...rest, url: this.url, hostKey: this.hostKey(user) });
  }

  /** Single protocol 11 messages as that user. */
  rawClient(user: string = this.users[0] ?? ''): RawClient {
    return new RawClient(this.url, this.hostKey(user));
  }

  async start(): Promise<void> {
    // The official server cannot say which port it got, so one is chosen for it that was free a moment ago.
    if (this.kind === 'official' && this.#port === 0) this.#port = await freePort();
    const [command, ...rest] = await this.#command();
    const child = spawn(command ?? '', rest, {
      cwd: projectFolder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: childEnvironment({
        SYNC_BASE: this.base,
        SYNC_HOST: '127.0.0.1',
        SYNC_PORT: String(this.#port),
        ...this.#env,
      }),
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    }
    await this.#answers(child);
  }

  async #command(): Promise<readonly string[]> {
    if (this.kind === 'ours') return [process.env.TEST_SERVER_PROGRAM ?? 'bin/anki-sync-server'];
    const client = await preparePythonEnv(newestClient);
    if (client.kind === 'missing') throw new Error(`the official server needs Anki ${newestClient}: ${client.reason}`);
    return [client.python, '-m', 'anki.syncserver'];
  }

  #read(text: string): void {
    this.#log = (this.#log + text).slice(-logCharsKept);
    // Ours chooses its port itself and says in its log where it listens.
    if (this.#port === 0) this.#port = Number(listeningPort.exec(this.#log)?.groups?.['port'] ?? 0);
  }

  /** Waits until the server answers, and makes sure that it is this one: only it knows the made-up accounts. */
  async #answers(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + startMsMax;
    while (Date.now() < deadline) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`the server ended with ${child.signalCode ?? child.exitCode}:\n${this.#log}`);
      }
      if (this.#port !== 0 && (await this.#isThisOne())) return;
      await sleep(20);
    }
    await this.kill();
    throw new Error(`the server does not answer:\n${this.#log}`);
  }

  async #isThisOne(): Promise<boolean> {
    const [user] = this.users;
    try {
      if (user === undefined) return (await fetch(new URL('health', this.url))).ok;
      // `begin` needs a known key and changes nothing.
      return (await this.rawClient(user).post('msync/begin', '{"v":"test"}')).status === 200;
    } catch (error) {
      const cause = error instanceof TypeError ? error.cause : error; // `fetch` wraps it.
      if (cause instanceof Error && 'code' in cause) return false; // Does not listen yet.
      throw new Error(`the server's first answer is not understood: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Ends it as a crash or a power cut would; what it has not written is lost. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'exit');
    child.kill(signal);
    await closed;
  }

  /** Starts it again on the same folder and port, after ending it gently if it still runs. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Ends it as its owner would. The official server understands SIGINT only. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), stopMsMax);
    await this.kill(this.kind === 'official' ? 'SIGINT' : 'SIGTERM');
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (!this.#keepsBase) await rm(this.base, { recursive: true, force: true });
  }

  #account(user: string): Account {
    const account = this.#accounts.get(user);
    if (account === undefined) throw new Error(`no account "${user}"`);
    return account;
  }
}

function makeAccount(user: string, hashed: boolean): Account {
  const password = randomBytes(9).toString('base64url');
  return { password, setting: `${user}:${hashed ? phcString(password) : password}` };
}

/** With one round, because the official server checks passwords while every user waits. */
function phcString(password: string): string {
  const salt = randomBytes(16);
  const hash = pbkdf2Sync(password, salt, 1, 32, 'sha256');
  return `$pbkdf2-sha256$i=1,l=32$${unpadded(salt)}$${unpadded(hash)}`;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
