import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log, LogFields } from '../log.ts';

/** Bytes that earlier requests of a connection moved. */
const countedBytes = new WeakMap<Socket, { readonly read: number; readonly written: number }>();

/**
 * What is logged of a request, in one line when it is over. Field names are those of the official server. Never in
 * here: host keys and passwords, so no query string either.
 */
export class RequestLog {
  readonly #log: Log;
  readonly #path: string;
  readonly #startedMs = performance.now();
  readonly #fields: Record<string, unknown> = {};
  #failure: { readonly isFault: boolean } | undefined;
  /** What is to be written once nobody works on the request any more. */
  #outcome: (() => void) | undefined;
  #holds = 0;

  constructor(log: Log, target: string) {
    this.#log = log;
    this.#path = pathOf(target);
  }

  /** Who is asking, as far as it is known by now. */
  add(fields: LogFields): void {
    Object.assign(this.#fields, fields);
  }

  /** Why it failed, in words. A fault is ours, everything else the sender's. */
  fail(context: string, isFault: boolean): void {
    this.#failure = { isFault };
    this.add({ context });
  }

  /** Keeps the line back while the request is worked on, which may be longer than its client waits for the answer. */
  hold(): Disposable {
    this.#holds++;
    return {
      [Symbol.dispose]: () => {
        if (--this.#holds === 0) this.#outcome?.();
      },
    };
  }

  /** Writes the line when the response is over, whichever way. */
  writeAfter(response: ServerResponse): void {
    const { socket } = response; // Gone from the response by then.
    response.once('close', () => {
      const outcome = {
        httpstatus: response.headersSent ? response.statusCode : 0,
        elap_ms: Math.round(performance.now() - this.#startedMs),
        ...(socket !== null && bytesSince(socket)),
      };
      const isComplete = response.writableFinished;
      this.#outcome = () => this.#write({ uri: this.#path, ...this.#fields, ...outcome }, isComplete);
      if (this.#holds === 0) this.#outcome();
    });
  }

  #write(fields: LogFields, isComplete: boolean): void {
    if (this.#failure?.isFault) this.#log.error(fields, 'failed');
    else if (this.#failure !== undefined) this.#log.info(fields, 'refused');
    else if (!isComplete) this.#log.info(fields, 'cut off');
    // Container platforms probe every few seconds.
    else if (this.#path === '/health') this.#log.debug(fields, 'finished');
    else this.#log.info(fields, 'finished');
  }
}

function bytesSince(socket: Socket): LogFields {
  const before = countedBytes.get(socket) ?? { read: 0, written: 0 };
  const now = { read: socket.bytesRead, written: socket.bytesWritten };
  countedBytes.set(socket, now);
  return { bytes_in: now.read - before.read, bytes_out: now.written - before.written };
}

function pathOf(target: string): string {
  return target.replace(/\?.*$/s, '').slice(0, 200);
}
