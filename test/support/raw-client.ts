import http from 'node:http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const compress = promisify(zlib.zstdCompress);
const decompress = promisify(zlib.zstdDecompress);

/** What came back, unopened and opened. */
export interface RawReply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Decompressed where the protocol says that it is compressed. */
  readonly body: Buffer;
}

/** Rows of one kind each, in the order of the protocol. */
export interface RawChunk {
  readonly done: boolean;
  readonly revlog?: readonly (readonly unknown[])[];
  readonly cards?: readonly (readonly unknown[])[];
  readonly notes?: readonly (readonly unknown[])[];
}

export interface RawMeta {
  readonly mod: number;
  readonly scm: number;
  readonly usn: number;
  readonly ts: number;
  readonly msg: string;
  readonly cont: boolean;
  readonly empty: boolean;
  readonly media_usn: number;
}

/** A refusal by status. */
export class RawStatusError extends Error {
  readonly status: number;

  constructor(method: string, reply: RawReply) {
    super(`${method}: status ${reply.status}: ${reply.body.toString().slice(0, 200)}`);
    this.name = 'RawStatusError';
    this.status = reply.status;
  }
}

/** Sends single messages of sync protocol 11, in any order, as no real client would. */
export class RawClient {
  readonly url: string;
  readonly hostKey: string;
  /** One per sync attempt; set another one to begin the next. */
  sessionKey = newSessionKey();

  constructor(url: string, hostKey: string) {
    this.url = url;
    this.hostKey = hostKey;
  }

  /** Any message with any payload. Never throws for a status. */
  async post(
    pathAndMethod: string,
    payload: string | Uint8Array,
    options: { readonly header?: string; readonly compressed?: boolean } = {},
  ): Promise<RawReply> {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const header =
      options.header ?? JSON.stringify({ v: 11, k: this.hostKey, c: '26.09.3,test,linux', s: this.sessionKey });
    const body = options.compressed === true ? bytes : await compress(bytes);
    const reply = await request(new URL(pathAndMethod, this.url), body, header);
    if (reply.status !== 200 || reply.headers['anki-original-size'] === undefined) return reply;
    return { ...reply, body: reply.body.length === 0 ? reply.body : await decompress(reply.body) };
  }

  /** A message of the collection or of the media (`msync/begin`) with a JSON payload. Throws unless the status is 200. */
  async call(method: string, value: unknown = { _pad: null }): Promise<unknown> {
    const reply = await this.post(method.includes('/') ? method : `sync/${method}`, JSON.stringify(value));
    if (reply.status !== 200) throw new RawStatusError(method, reply);
    return JSON.parse(reply.body.toString());
  }

  /** Asks for the host key of an account. */
  async login(user: string, password: string): Promise<string> {
    const { key } = (await this.call('hostKey', { u: user, p: password })) as { key: string };
    return key;
  }

  async meta(): Promise<RawMeta> {
    return (await this.call('meta', { v: 11, cv: 'anki,26.09.3 (test),linux' })) as RawMeta;
  }

  start(clientUsn = 0, clientIsNewer = false): Promise<unknown> {
    return this.call('start', { minUsn: clientUsn, lnewer: clientIsNewer, graves: null });
  }

  applyGraves(graves: { cards?: number[]; notes?: number[]; decks?: number[] } = {}): Promise<unknown> {
    return this.call('applyGraves', { chunk: { cards: [], notes: [], decks: [], ...graves } });
  }

  /** Sends changed small objects, none by default, and gets the server's. */
  applyChanges(changes: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.call('applyChanges', { changes: { models: [], decks: [[], []], tags: [], ...changes } });
  }

  async chunk(): Promise<RawChunk> {
    return (await this.call('chunk')) as RawChunk;
  }

  applyChunk(chunk: RawChunk = { done: true }): Promise<unknown> {
    return this.call('applyChunk', { chunk });
  }

  async sanityCheck(counts: unknown): Promise<{ status: 'ok' | 'bad'; c?: unknown; s?: unknown }> {
    return (await this.call('sanityCheck2', { client: counts })) as { status: 'ok' | 'bad'; c?: unknown; s?: unknown };
  }

  async finish(): Promise<number> {
    return (await this.call('finish')) as number;
  }

  abort(): Promise<unknown> {
    return this.call('abort');
  }

  /** Sends a collection file. Returns the server's word, `OK` when it was taken. */
  async upload(collection: Uint8Array): Promise<string> {
    const reply = await this.post('sync/upload', collection);
    if (reply.status !== 200) throw new RawStatusError('upload', reply);
    return reply.body.toString();
  }

  async download(): Promise<Buffer> {
    const reply = await this.post('sync/download', '{"_pad":null}');
    if (reply.status !== 200) throw new RawStatusError('download', reply);
    return reply.body;
  }
}

/** One to six letters and digits, new for each sync attempt. */
export function newSessionKey(): string {
  return Math.floor(Math.random() * 36 ** 6).toString(36);
}

/** Written with `node:http`, because `fetch` allows no chunked body without a stream and keeps connections for itself. */
function request(url: URL, body: Uint8Array, ankiSync: string): Promise<RawReply> {
  const { promise, resolve, reject } = Promise.withResolvers<RawReply>();
  const headers = { 'anki-sync': ankiSync, 'content-type': 'application/octet-stream' };
  const outgoing = http.request(url, { method: 'POST', headers, agent: false }, async (incoming) => {
    try {
      const parts = await incoming.toArray();
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(parts) });
    } catch (error) {
      reject(error);
    }
  });
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}
