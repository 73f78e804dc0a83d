import { request } from 'node:http';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { RecordedMessage } from './scenario.ts';

/** An answer as the client sees it once the protocol's own compression is off. */
export interface Reply {
  readonly status: number;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Only for modern clients and status 200: the length that the server announced. */
  readonly originalSize: number | undefined;
}

/** Says how long the body is or where it goes; the sender knows better than the recording. */
const headersOfTheTrip = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

/** Sends a recorded request with its recorded headers, modern bodies chunked as clients do. */
export function send(url: string, recorded: RecordedMessage['request']): Promise<Reply> {
  const headers = Object.fromEntries(Object.entries(recorded.headers).filter(([name]) => !headersOfTheTrip.has(name)));
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const outgoing = request(new URL(recorded.path, url), { method: recorded.verb, headers, agent: false });
  outgoing.on('error', reject);
  outgoing.on('response', async (incoming) => {
    try {
      const raw = Buffer.concat(await Array.fromAsync(incoming));
      const size = incoming.headers['anki-original-size'];
      resolve({
        status: incoming.statusCode ?? 0,
        body: size === undefined ? Uint8Array.from(raw) : Uint8Array.from(zstdDecompressSync(raw)),
        originalSize: size === undefined ? undefined : Number(size),
      });
    } catch (error) {
      reject(error);
    }
  });
  if (recorded.body.kind === 'none') outgoing.end();
  else if (recorded.body.kind === 'asIs') outgoing.end(recorded.body.bytes);
  else {
    // Flushed headers without a length make Node send the body in chunks.
    outgoing.flushHeaders();
    outgoing.end(zstdCompressSync(recorded.body.bytes));
  }
  return promise;
}
