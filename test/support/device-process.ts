import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type ClientVersion, clientRelease } from './clients.ts';
import { childEnvironment } from './environment.ts';
import { preparePythonEnv } from './python-envs.ts';

const driver = path.join(import.meta.dirname, 'driver/device.py');
/** The slowest command is a sync of several thousand notes on a busy machine. */
const answerMsMax = 120_000;
const stderrCharsKept = 4000;

/** What went wrong on a device, as a user would see it. */
export type DeviceErrorKind = 'auth' | 'conflict' | 'check database' | 'network' | 'other' | 'device died';

/** An error that the client library reported. `kind` says what it asks of the user, `message` is its text. */
export class DeviceError extends Error {
  readonly kind: DeviceErrorKind;

  constructor(kind: DeviceErrorKind, message: string) {
    super(message);
    this.name = 'DeviceError';
    this.kind = kind;
  }
}

interface Answer {
  readonly id: number;
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: { readonly kind: DeviceErrorKind; readonly type: string; readonly text: string };
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A running client library; commands are carried out one at a time, in order. */
export class DeviceProcess {
  readonly version: ClientVersion;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #stderr = '';
  #ended = false;

  static async start(version: ClientVersion): Promise<DeviceProcess> {
    const client = await preparePythonEnv(version);
    if (client.kind === 'missing') throw new Error(`Anki ${version} is not there: ${client.reason}`);
    const env = childEnvironment(client.library === undefined ? {} : { PYTHONPATH: client.library });
    // -B: no compiled files beside the driver.
    const child = spawn(client.python, ['-B', driver, clientRelease(version).generation], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return new DeviceProcess(version, child);
  }

  private constructor(version: ClientVersion, child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.version = version;
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(line));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrCharsKept);
    });
    child.stdin.on('error', () => undefined); // The end of the process says why.
    child.on('close', (code, signal) => this.#end(`ended with ${signal ?? code}`));
    child.on('error', (error) => this.#end(error.message));
  }

  get alive(): boolean {
    return !this.#ended;
  }

  /** Sends a command and waits for its result, which the caller has to check. Throws a `DeviceError`. */
  async call(command: string, values: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#ended) throw new DeviceError('device died', `Anki ${this.version} is not running: ${command}`);
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    this.#child.stdin.write(`${JSON.stringify({ id, do: command, with: values })}\n`);
    const timer = setTimeout(() => {
      reject(new Error(`Anki ${this.version} does not answer: ${command}\n${this.#stderr}`));
      this.#child.kill('SIGKILL');
    }, answerMsMax);
    try {
      return await promise;
    } catch (error) {
      // The stack of the answer is that of the reader; the one of the caller is of use.
      if (error instanceof Error) Error.captureStackTrace(error, this.call);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** As a crash or a battery that is empty. */
  async kill(): Promise<void> {
    if (this.#ended) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  /** An idle process must not keep the test runner alive; it ends by itself when its input does. */
  setIdle(idle: boolean): void {
    const handles = [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr];
    for (const handle of handles) {
      if (isRefable(handle)) idle ? handle.unref() : handle.ref();
    }
  }

  #take(line: string): void {
    const answer = JSON.parse(line) as Answer; // Written by the driver beside this file.
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (pending === undefined) return;
    if (answer.ok) pending.resolve(answer.result);
    else {
      const { kind, type, text } = answer.error ?? { kind: 'other', type: 'unknown', text: line };
      pending.reject(new DeviceError(kind, `Anki ${this.version}: ${type}: ${text}`));
    }
  }

  #end(how: string): void {
    this.#ended = true;
    for (const pending of this.#pending.values()) {
      pending.reject(new DeviceError('device died', `Anki ${this.version} ${how}\n${this.#stderr}`));
    }
    this.#pending.clear();
  }
}

function isRefable(handle: unknown): handle is { ref(): void; unref(): void } {
  return typeof handle === 'object' && handle !== null && 'unref' in handle && 'ref' in handle;
}

const idleProcesses = new Map<ClientVersion, DeviceProcess[]>();

/** A process of that version that is not in use, or a new one. */
export async function takeProcess(version: ClientVersion): Promise<DeviceProcess> {
  const idle = idleProcesses.get(version)?.pop();
  if (idle?.alive === true) {
    idle.setIdle(false);
    return idle;
  }
  return DeviceProcess.start(version);
}

/** Gives back a process whose collection is closed. */
export function giveBackProcess(process: DeviceProcess): void {
  if (!process.alive) return;
  process.setIdle(true);
  idleProcesses.getOrInsert(process.version, []).push(process);
}
