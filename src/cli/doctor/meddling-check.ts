import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';
import { messageOf } from '../../errors.ts';
import { ask, type Reply } from './exchange.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { portOf } from './reach-check.ts';
import { modernHeaders, modernQuestion, syncUrl } from './sync-question.ts';

/** What a proxy does to messages that it was not asked to do. */
export interface MeddlingFacts {
  /** To a client that does not say that it understands compression, as those of Anki. */
  readonly plain: Reply;
  /** To one that does, as a browser. */
  readonly page: Reply;
  /** Status of a message by HTTP/2 where that is offered, or what went wrong; undefined where it is not. */
  readonly http2: number | string | undefined;
}

const http2MsMax = 10_000;

export async function gatherMeddling(base: URL): Promise<MeddlingFacts> {
  const plain = await ask(modernQuestion(base));
  const page = await ask({ url: base, headers: { 'accept-encoding': 'gzip, br, zstd' } });
  const isOffered = base.protocol === 'https:' && (await offersHttp2(base));
  return { plain, page, http2: isOffered ? await statusByHttp2(base) : undefined };
}

function offersHttp2(url: URL): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const socket = connect({
    host,
    port: portOf(url),
    ALPNProtocols: ['h2', 'http/1.1'],
    rejectUnauthorized: false,
    timeout: http2MsMax,
  });
  socket.once('secureConnect', () => resolve(socket.alpnProtocol === 'h2'));
  socket.once('timeout', () => resolve(false)).once('error', () => resolve(false));
  void promise.then(() => socket.destroy());
  return promise;
}

function statusByHttp2(base: URL): Promise<number | string> {
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const url = syncUrl(base, 'meta');
  const session = connectHttp2(url.origin, { rejectUnauthorized: false });
  session.once('error', (error) => resolve(messageOf(error)));
  session.setTimeout(http2MsMax, () => resolve('no answer in time'));
  const stream = session.request({ ':method': 'POST', ':path': url.pathname, ...modernHeaders() });
  stream.once('response', (headers) => resolve(headers[':status'] ?? 0));
  stream.once('error', (error) => resolve(messageOf(error)));
  stream.end(new Uint8Array(8)); // Nothing that can be opened: 400. It is the way that counts.
  void promise.then(() => session.destroy());
  return promise;
}

/** Do answers arrive as the server sent them? */
export function judgeMeddling({ plain, page, http2 }: MeddlingFacts): readonly Finding[] {
  const found: Finding[] = [];
  const coding = codingOf(plain);
  if (coding !== undefined) {
    const remedy =
      'Clients of Anki cannot open that: turn compression off for this address. nginx: gzip off; Apache: SetEnv no-gzip 1; Caddy: leave out encode.';
    found.push(problem(`the proxy compresses answers (${coding}) for clients that did not ask for it`, remedy));
  } else if (codingOf(page) !== undefined) {
    found.push(ok(`the proxy compresses pages for browsers (${codingOf(page)}), and leaves messages to clients alone`));
  } else {
    found.push(ok('the proxy does not compress answers'));
  }
  if (typeof http2 === 'string' || (typeof http2 === 'number' && http2 !== 400 && http2 !== 403)) {
    const remedy =
      'Turn HTTP/2 off for this address if clients fail; nothing is lost without it. nginx: no http2 behind listen.';
    found.push(warning(`HTTP/2 is offered but does not lead to the server (${http2})`, remedy));
  } else if (http2 !== undefined) {
    found.push(ok('messages by HTTP/2 reach the server'));
  }
  return found;
}

function codingOf(reply: Reply): string | undefined {
  const coding = reply.kind === 'reply' ? reply.headers['content-encoding'] : undefined;
  return coding === undefined || coding === 'identity' ? undefined : coding;
}
