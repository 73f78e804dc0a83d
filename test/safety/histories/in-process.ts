import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { startServer } from '../../../src/cli/serve.ts';
import { readConfig } from '../../../src/config/config.ts';
import type { Dispatcher } from '../../../src/lanes/dispatcher.ts';
import { Lanes } from '../../../src/lanes/lanes.ts';
import type { Log, LogFields } from '../../../src/log.ts';

/** The whole server in the process of the test, where its work can be watched. */
export class InProcessServer implements AsyncDisposable {
  readonly port: number;
  readonly hostKeys: ReadonlyMap<string, string>;
  /** Lines of level warning and above, each as JSON. */
  readonly troubles: readonly string[];
  readonly #stop: () => Promise<void>;
  readonly #running: () => number;

  static async start(base: string, users: readonly string[]): Promise<InProcessServer> {
    const troubles: string[] = [];
    let running = 0;
    const reading = readConfig({
      env: {
        ...Object.fromEntries(users.map((user, index) => [`SYNC_USER${index + 1}`, `${user}:secret`])),
        SYNC_BASE: base,
        SYNC_HOST: '127.0.0.1',
        SYNC_PORT: '0',
      },
      homeFolder: undefined,
      platform: process.platform,
    });
    if (reading.kind === 'problems') throw new Error(reading.problems.join());
    const { config } = reading;
    const server = await startServer(config, logInto(troubles), ({ log }) => {
      const lanes = new Lanes({ ...config, policy: config.keeping, log });
      return watched(lanes, (by) => {
        running += by;
      });
    });
    const hostKeys = new Map(config.users.map(({ name, hostKey }) => [name, hostKey]));
    return new InProcessServer({ port: server.port, hostKeys, troubles, stop: server.stop, running: () => running });
  }

  private constructor(parts: {
    port: number;
    hostKeys: ReadonlyMap<string, string>;
    troubles: readonly string[];
    stop: () => Promise<void>;
    running: () => number;
  }) {
    this.port = parts.port;
    this.hostKeys = parts.hostKeys;
    this.troubles = parts.troubles;
    this.#stop = parts.stop;
    this.#running = parts.running;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /**
   * Sends a request and goes away after a while, or after half of the body. Resolves when the connection is gone; the
   * server may work on.
   */
  async sendAndLeave(path: string, header: string, payload: Uint8Array, leave: number | 'half'): Promise<void> {
    const body = zstdCompressSync(payload);
    const options = { method: 'POST', agent: false, headers: { 'anki-sync': header, 'content-length': body.length } };
    const request = http.request(new URL(path, this.url), options);
    request.on('error', () => {});
    request.on('response', (response) => response.on('error', () => {}).resume());
    const closed = new Promise<void>((resolve) => request.on('close', resolve));
    if (leave === 'half') {
      request.write(body.subarray(0, body.length / 2), () => request.destroy());
    } else {
      request.end(body);
      await sleep(leave);
      request.destroy();
    }
    await closed;
  }

  /** Waits until requests of clients that went away have had their effect, or never will. */
  async settle(): Promise<void> {
    for (let quietTurns = 0; quietTurns < 8; ) {
      // What left before this connection was opened is read before it is answered.
      await fetch(new URL('health', this.url));
      await sleep(5);
      quietTurns = this.#running() === 0 ? quietTurns + 1 : 0;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}

function logInto(troubles: string[]): Log {
  const keep = (fields: LogFields, text: string) => void troubles.push(JSON.stringify({ text, ...fields }));
  return { error: keep, warn: keep, info() {}, debug() {} };
}

/** Counts the messages that are being worked on. */
function watched(lanes: Lanes, count: (by: 1 | -1) => void): Dispatcher {
  return {
    async dispatch(message) {
      count(1);
      try {
        return await lanes.dispatch(message);
      } finally {
        count(-1);
      }
    },
    uploadBegins: () => lanes.uploadBegins(),
    release: (folder) => lanes.release(folder),
    close: () => lanes.close(),
  };
}
