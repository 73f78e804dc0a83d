import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** When the first byte of the body arrived, by `performance.now()`; of the head if the body is empty. */
  readonly firstByteMs: number;
}

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Where the body begins. */
  readonly bodyAt: number;
}

interface Waiting {
  readonly resolve: (answer: WireAnswer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One connection of HTTP/1.1 that stays open, for one request at a time. Node's own client takes 0.1 ms of processor time
 * and more for each request, which is as much as a server takes to answer `meta`; this one takes a fifth of it.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #head: Head | undefined;
  #length = 0;
  #firstByteMs = 0;
  #waiting: Waiting | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('The server closed the connection')));
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  /** Has either side ended it? */
  get isClosed(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  /** Sends a request that is in memory, head and body. */
  send(...pieces: readonly Buffer[]): Promise<WireAnswer> {
    const answered = this.#expect();
    for (const piece of pieces.slice(0, -1)) this.#socket.write(piece);
    this.#socket.write(pieces.at(-1) ?? Buffer.alloc(0));
    return answered;
  }

  /** Sends a head and then pieces as they come, as fast as the server takes them. `lastByteMs` is when all were handed over. */
  async stream(head: Buffer, pieces: AsyncIterable<Buffer>): Promise<{ answer: WireAnswer; lastByteMs: number }> {
    const answered = this.#expect();
    answered.catch(() => {}); // Told below, unless the server hangs up first.
    this.#socket.write(head);
    for await (const piece of pieces) {
      if (this.#waiting === undefined) break; // Answered already: it wants no more.
      if (!this.#socket.write(piece)) await Promise.race([once(this.#socket, 'drain'), answered]);
    }
    const lastByteMs = performance.now();
    return { answer: await answered, lastByteMs };
  }

  close(): void {
    this.#socket.destroy();
  }

  #expect(): Promise<WireAnswer> {
    if (this.#waiting !== undefined) throw new Error('One request at a time');
    const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>();
    this.#waiting = { resolve, reject };
    if (this.#socket.destroyed) this.#fail(new Error('The connection is closed'));
    return promise;
  }

  #receive(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    if (this.#head === undefined) {
      this.#firstByteMs = performance.now();
      const all = this.#joined();
      const end = all.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.#head = { ...readHead(all.toString('latin1', 0, end)), bodyAt: end + 4 };
    }
    this.#finishIfWhole(this.#head);
  }

  #finishIfWhole(head: Head): void {
    const byteLength = head.headers.get('content-length');
    if (byteLength !== undefined) {
      const end = head.bodyAt + Number(byteLength);
      if (this.#length >= end) this.#finish(head, this.#joined().subarray(head.bodyAt, end));
      return;
    }
    if (head.headers.get('transfer-encoding') !== 'chunked') {
      this.#fail(new Error('The answer has neither a length nor chunks'));
      return;
    }
    const last = this.#parts.at(-1);
    // Only what ends like the last chunk is worth joining and reading.
    if (last === undefined || (last.length >= 5 ? !last.subarray(-5).equals(lastChunk) : this.#length < 5)) return;
    const body = readChunks(this.#joined().subarray(head.bodyAt));
    if (body !== undefined) this.#finish(head, body);
  }

  #finish(head: Head, body: Buffer): void {
    const waiting = this.#waiting;
    const { status, headers } = head;
    this.#waiting = undefined;
    this.#head = undefined;
    this.#parts = [];
    this.#length = 0;
    waiting?.resolve({ status, headers, body, firstByteMs: this.#firstByteMs });
  }

  #joined(): Buffer {
    const [only] = this.#parts;
    if (this.#parts.length === 1 && only !== undefined) return only;
    const all = Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}

const lastChunk = Buffer.from('0\r\n\r\n');

function readHead(text: string): { status: number; headers: ReadonlyMap<string, string> } {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(' ')[1]), headers: new Map(headers) };
}

/** The content of a chunked body, or undefined when it is not all there yet. */
export function readChunks(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const length = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + length;
    if (bytes.length < end + 2) return undefined;
    if (length === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}
