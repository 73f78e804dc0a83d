import { randomInt } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HttpConnection, type WireAnswer } from './http-connection.ts';

/** What every message without arguments holds. */
const nothing = '{"_pad":null}';
const metaRequest = '{"v":11,"cv":"anki,26.09.3 (bench),linux"}';

/** What `meta` answers, as far as it is looked at here. */
export interface Meta {
  readonly mod: number;
  readonly scm: number;
  readonly usn: number;
  readonly cont: boolean;
  readonly media_usn: number;
}

/** An answer that the protocol does not allow at this place: the measurement would be worth nothing. */
export class WrongAnswerError extends Error {}

/** A device's connection, speaking sync protocol 11. Every answer is opened; anything but a good one throws. */
export class SyncClient {
  readonly port: number;
  readonly hostKey: string;
  #connection: HttpConnection;
  #sessionKey = '';

  private constructor(port: number, hostKey: string, connection: HttpConnection) {
    this.port = port;
    this.hostKey = hostKey;
    this.#connection = connection;
    this.newSession();
  }

  static async open(port: number, hostKey: string): Promise<SyncClient> {
    return new SyncClient(port, hostKey, await HttpConnection.open(port));
  }

  /** Servers close connections on which nothing happens for a minute; clients then make another one. */
  async reconnect(): Promise<void> {
    if (this.#connection.isClosed) this.#connection = await HttpConnection.open(this.port);
  }

  /** One key per sync attempt. */
  newSession(): void {
    this.#sessionKey = randomInt(36 ** 5).toString(36);
  }

  /** Sends JSON text, gets JSON. */
  async call(method: string, text: string = nothing): Promise<unknown> {
    return parse(method, await this.send(method, packed(text)));
  }

  /** Sends a compressed body and opens the answer. */
  async send(method: string, body: Buffer): Promise<Buffer> {
    const answer = await this.sendRaw(method, body);
    return unpack(method, answer);
  }

  /** Asks for a file, which is left packed; tells when its first byte came, milliseconds after the question. */
  async fetch(method: string): Promise<{ readonly body: Buffer; readonly firstByteMs: number }> {
    this.newSession();
    const askedMs = performance.now();
    const answer = await this.sendRaw(method, packed(nothing));
    if (answer.status !== 200) throw refused(method, answer);
    return { body: answer.body, firstByteMs: answer.firstByteMs - askedMs };
  }

  /** Sends a compressed body; any status will do. */
  sendRaw(method: string, body: Buffer): Promise<WireAnswer> {
    const head = this.#head(method, `Content-Length: ${body.length}`);
    return body.length > 32_000
      ? this.#connection.send(head, body)
      : this.#connection.send(Buffer.concat([head, body]));
  }

  /** Sends a compressed body as it comes, in chunks, as clients do with a collection. */
  async stream(
    method: string,
    pieces: AsyncIterable<Buffer>,
  ): Promise<{ body: Buffer; answer: WireAnswer; lastByteMs: number }> {
    const head = this.#head(method, 'Transfer-Encoding: chunked');
    const { answer, lastByteMs } = await this.#connection.stream(head, inChunks(pieces));
    return { body: unpack(method, answer), answer, lastByteMs };
  }

  async meta(): Promise<Meta> {
    const meta = (await this.call('sync/meta', metaRequest)) as Meta;
    if (meta.cont !== true || !Number.isSafeInteger(meta.usn) || !Number.isSafeInteger(meta.mod)) {
      throw new WrongAnswerError(`meta answers ${JSON.stringify(meta)}`);
    }
    return meta;
  }

  /** The status of a login; a good one must bring the expected key. */
  async login(user: string, password: string): Promise<number> {
    const answer = await this.sendRaw('sync/hostKey', zstdCompressSync(JSON.stringify({ u: user, p: password })));
    if (answer.status !== 200) return answer.status;
    const { key } = parse('hostKey', unpack('hostKey', answer)) as { key: string };
    if (key !== this.hostKey) throw new WrongAnswerError('A login brought another key');
    return 200;
  }

  close(): void {
    this.#connection.close();
  }

  #head(method: string, framing: string): Buffer {
    const header = `{"v":11,"k":"${this.hostKey}","c":"26.09.3,bench,linux","s":"${this.#sessionKey}"}`;
    return Buffer.from(
      `POST /${method} HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\nanki-sync: ${header}\r\n` +
        `Content-Type: application/octet-stream\r\nAccept: */*\r\n${framing}\r\n\r\n`,
    );
  }
}

/** The plain content of a good answer. */
export function unpack(method: string, answer: WireAnswer): Buffer {
  if (answer.status !== 200) throw refused(method, answer);
  const byteLength = Number(answer.headers.get('anki-original-size') ?? Number.NaN);
  if (!Number.isSafeInteger(byteLength)) throw new WrongAnswerError(`${method}: no anki-original-size`);
  if (answer.body.length === 0) return answer.body;
  const plain = zstdDecompressSync(answer.body);
  if (plain.length !== byteLength) throw new WrongAnswerError(`${method}: ${plain.length} bytes for ${byteLength}`);
  return plain;
}

function refused(method: string, answer: WireAnswer): WrongAnswerError {
  return new WrongAnswerError(`${method}: status ${answer.status}: ${answer.body.toString().slice(0, 200)}`);
}

function parse(method: string, text: Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch (error) {
    throw new WrongAnswerError(`${method}: no JSON: ${text.toString().slice(0, 200)}`, { cause: error });
  }
}

const packedTexts = new Map<string, Buffer>();
const packedTextCharsMax = 200;

/** Short texts are sent over and over, so they are compressed once: what is measured is the server. */
function packed(text: string): Buffer {
  if (text.length > packedTextCharsMax) return zstdCompressSync(text);
  const known = packedTexts.get(text) ?? zstdCompressSync(text);
  if (packedTexts.size < 1000) packedTexts.set(text, known);
  return known;
}

async function* inChunks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    if (piece.length > 0) {
      yield Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
    }
  }
  yield Buffer.from('0\r\n\r\n');
}
