import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { messageOf } from '../../errors.ts';

/** One request as a client would send it. */
export interface Question {
  readonly url: URL;
  /** Default: GET. */
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** Pieces of the body, which end the request when they end. */
  readonly body?: AsyncIterable<Uint8Array>;
  /** Silence after which the question is given up, milliseconds. */
  readonly timeoutMs?: number;
  /** A Unix socket to ask in place of the address of `url`. */
  readonly socketPath?: string;
}

export type Reply =
  | {
      readonly kind: 'reply';
      readonly status: number;
      /** Reason phrase; proxies may put their own. */
      readonly reason: string;
      readonly headers: Readonly<Record<string, string | undefined>>;
      /** The beginning of the body. */
      readonly text: string;
      /** Did it begin before the whole request was sent? */
      readonly isEarly: boolean;
      /** Epoch milliseconds at which its headers were there. */
      readonly atMs: number;
    }
  /** No answer: `code` is that of the system, such as `ECONNREFUSED`, or `TIMEOUT`. */
  | { readonly kind: 'failure'; readonly code: string; readonly message: string };

const timeoutMsDefault = 10_000;
const textCharsMax = 2000;

/**
 * Asks by HTTP/1.1 on a connection of its own, following nothing. Certificates are not verified, because a check of its
 * own does that and nothing secret is sent. Never throws.
 */
export function ask(question: Question): Promise<Reply> {
  const { url, method = 'GET', headers = {}, body, timeoutMs = timeoutMsDefault, socketPath } = question;
  const { promise, resolve } = Promise.withResolvers<Reply>();
  let isSent = body === undefined;
  const take = (response: IncomingMessage): void => {
    const [isEarly, atMs] = [!isSent, Date.now()];
    const done = (text: string): void => {
      resolve({ kind: 'reply', ...headOf(response), text: text.slice(0, textCharsMax), isEarly, atMs });
      sent.destroy();
    };
    readText(response).then(done, () => done('')); // Of a body that breaks off the status is still worth something.
  };
  const options: RequestOptions = { method, headers, agent: false, timeout: timeoutMs };
  const sent =
    url.protocol === 'https:'
      ? requestOverTls(url, { ...options, rejectUnauthorized: false }, take)
      : requestPlain(url, { ...options, ...(socketPath !== undefined && { socketPath }) }, take);
  sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' })));
  sent.on('error', (error: NodeJS.ErrnoException) =>
    resolve({ kind: 'failure', code: error.code ?? 'unknown', message: messageOf(firstOf(error)) }),
  );
  sent.on('finish', () => {
    isSent = true;
  });
  if (body === undefined) sent.end();
  else void write(sent, body);
  return promise;
}

interface Sink {
  readonly destroyed: boolean;
  write(piece: Uint8Array): boolean;
  once(event: 'drain' | 'close', listener: () => void): unknown;
  off(event: 'drain' | 'close', listener: () => void): unknown;
  end(): unknown;
}

/** At the pace of the receiver. A sink that is destroyed on the way is heard by its own listeners. */
async function write(sink: Sink, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of body) {
    if (sink.destroyed) return;
    if (!sink.write(piece)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          sink.off('drain', go);
          sink.off('close', go);
          resolve();
        };
        sink.once('drain', go);
        sink.once('close', go);
      });
    }
  }
  if (!sink.destroyed) sink.end();
}

function headOf({ statusCode = 0, statusMessage = '', headers }: IncomingMessage) {
  const single = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ]);
  return {
    status: statusCode,
    reason: statusMessage,
    headers: Object.fromEntries(single) as Readonly<Record<string, string | undefined>>,
  };
}

async function readText(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    length += piece.length;
    if (length > textCharsMax * 4) break;
  }
  return Buffer.concat(pieces).toString();
}

/** A name with several addresses fails with one error for each. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

/** A body in one piece. */
export async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
