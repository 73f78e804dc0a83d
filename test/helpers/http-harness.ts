import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Accounts, hostKeyOf, type UserSetting } from '../../src/accounts/accounts.ts';
import type { Dispatcher } from '../../src/lanes/dispatcher.ts';
import { MiB } from '../../src/limits.ts';
import type { Log, LogFields } from '../../src/log.ts';
import type { Answer, Message } from '../../src/protocol/message.ts';
import { openPayload } from '../../src/protocol/payload.ts';
import { HttpServer, type HttpServerOptions } from '../../src/transport/http-server.ts';
import type { UserFolder } from '../../src/user-folder.ts';

/** A message as it reached the dispatcher, opened. */
export interface Received {
  readonly message: Message;
  readonly content: Buffer;
}

export interface LogLine {
  readonly level: string;
  readonly text: string;
  readonly fields: LogFields;
}

export type FakeAnswer = (message: Message, content: Buffer) => Answer | Promise<Answer>;

/** Answers with `{}` unless told otherwise, and remembers everything. */
export class FakeDispatcher implements Dispatcher {
  readonly received: Received[] = [];
  readonly released: string[] = [];
  answer: FakeAnswer = () => textAnswer('{}');
  isClosed = false;

  async dispatch(message: Message): Promise<Answer> {
    const content = Buffer.from(await contentOf(message));
    this.received.push({ message, content });
    return this.answer(message, content);
  }

  uploadBegins(): void {}

  release(user: UserFolder): void {
    this.released.push(user.user);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

async function contentOf({ payload }: Message): Promise<Uint8Array> {
  // Large files would spoil what is measured of memory.
  if (payload.kind === 'file') return payload.byteLength > MiB ? new Uint8Array() : readFile(payload.path);
  return openPayload(payload, 64 * MiB);
}

export function textAnswer(text: string): Answer {
  return { kind: 'bytes', bytes: new TextEncoder().encode(text) };
}

/** The settings of a user with a plain password. */
export function userSetting(value: string, index = 0): UserSetting {
  const variable = `SYNC_USER${index + 1}`;
  const colon = value.indexOf(':');
  const password = { kind: 'plain', text: value.slice(colon + 1) } as const;
  return { variable, name: value.slice(0, colon), password, hostKey: hostKeyOf(value) };
}

export interface Reply {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: Buffer;
  /** Inflated when the protocol says that it is compressed. */
  readonly text: string;
}

export interface Sending {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array | Readable;
  readonly method?: string;
}

export interface HarnessOptions extends Partial<HttpServerOptions> {
  /** Values of `SYNC_USERn`. */
  readonly users?: readonly string[];
}

/** The whole HTTP stack on a free port of this computer, with a fake behind it. Users are ann and bob. */
export class HttpHarness implements AsyncDisposable {
  readonly dispatcher = new FakeDispatcher();
  readonly lines: LogLine[] = [];
  readonly annKey = hostKeyOf('ann:secret');
  readonly bobKey = hostKeyOf('bob:secret');
  readonly base: string;
  readonly server: HttpServer;
  port = 0;

  static async start(options: HarnessOptions = {}): Promise<HttpHarness> {
    const harness = new HttpHarness(await mkdtemp(path.join(tmpdir(), 'anki-http-')), options);
    await mkdir(harness.spoolFolder);
    harness.port = await harness.server.listen({ host: '127.0.0.1', port: 0 });
    return harness;
  }

  private constructor(base: string, { users = ['ann:secret', 'bob:secret'], ...options }: HarnessOptions) {
    this.base = base;
    this.server = new HttpServer({
      accounts: new Accounts(users.map(userSetting), base),
      dispatcher: this.dispatcher,
      log: this.#log(),
      spoolFolder: this.spoolFolder,
      payloadBytesMax: 100 * MiB,
      inflatedBytesMax: 300 * MiB,
      ipHeader: 'ConnectInfo',
      ...options,
    });
  }

  get spoolFolder(): string {
    return path.join(this.base, 'spool');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close(0);
    await rm(this.base, { recursive: true, force: true });
  }

  /** One request on a connection of its own. */
  send(target: string, { headers = {}, body, method = 'POST' }: Sending = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.port, path: target, method, headers, agent: false };
      const request = httpRequest(options, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const raw = Buffer.concat(pieces);
          const isModern = response.headers['anki-original-size'] !== undefined && raw.length > 0;
          const text = (isModern ? zstdDecompressSync(raw) : raw).toString();
          const { statusCode: status = 0, statusMessage: reason = '' } = response;
          resolve({ status, reason, headers: response.headers, raw, text });
        });
      });
      request.on('error', reject);
      if (body === undefined || body instanceof Uint8Array) request.end(body);
      else body.pipe(request);
    });
  }

  /** A request of sync version 11; `content` is compressed here. */
  modern(target: string, content: string | Uint8Array = '{}', header: Record<string, unknown> = {}): Promise<Reply> {
    return this.send(target, { headers: this.modernHeaders(header), body: zstdCompressSync(content) });
  }

  modernHeaders(header: Record<string, unknown> = {}): OutgoingHttpHeaders {
    const members = { v: 11, k: this.annKey, c: '26.09.3,test,here', s: 'abc123', ...header };
    return { 'anki-sync': JSON.stringify(members), 'content-type': 'application/octet-stream' };
  }

  /** A request of sync versions 8 to 10. */
  form(target: string, fields: readonly FormField[], boundary = 'Anki-sync-boundary'): Promise<Reply> {
    const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    return this.send(target, { headers, body: formBody(fields, boundary) });
  }

  /** A connection to write bytes into by hand. */
  async connect(): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    return socket;
  }

  /** The line of the request that was answered last; it is written a moment after the answer has arrived. */
  async lastLine(): Promise<LogLine | undefined> {
    const told = () => this.lines.findLast(({ text }) => text !== 'not a request');
    for (let tries = 0; tries < 200 && told() === undefined; tries++) await new Promise((go) => setTimeout(go, 10));
    return told();
  }

  #log(): Log {
    const note = (level: string) => (fields: LogFields, text: string) => void this.lines.push({ level, text, fields });
    return { error: note('error'), warn: note('warn'), info: note('info'), debug: note('debug') };
  }
}

/** Texts are fields, bytes are parts with a file name. */
export type FormField = readonly [name: string, value: string | Uint8Array];

export function formBody(fields: readonly FormField[], boundary = 'Anki-sync-boundary', isClosed = true): Buffer {
  const parts = fields.map(([name, value]) => {
    const isFile = typeof value !== 'string';
    const disposition = `Content-Disposition: form-data; name="${name}"${isFile ? `; filename="${name}"` : ''}\r\n`;
    const type = isFile ? 'Content-Type: application/octet-stream\r\n' : '';
    return Buffer.concat([
      Buffer.from(`--${boundary}\r\n${disposition}${type}\r\n`),
      Buffer.from(value),
      Buffer.from('\r\n'),
    ]);
  });
  return Buffer.concat([...parts, Buffer.from(isClosed ? `--${boundary}--\r\n` : '')]);
}

/** Reads from a socket until it closes or `isEnough`. */
export function readUntil(socket: Socket, isEnough: (text: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const stop = () => resolve(text);
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      if (isEnough(text)) stop();
    });
    socket.on('close', stop);
    socket.on('end', stop);
  });
}
