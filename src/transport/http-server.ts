import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Accounts } from '../accounts/accounts.ts';
import type { Dispatcher } from '../accounts/dispatcher.ts';
import { stalledBodyMsMax } from '../limits.ts';
import type { Log } from '../log.ts';
import type { MediaMethod, SyncMethod } from '../protocol/message.ts';
import { intendedTarget, isMediaMethod, isSyncMethod } from './address.ts';
import { drainRest } from './body-reader.ts';
import { type AddressSource, clientAddress } from './client-address.ts';
import { headersBytesMax, headersMsMax, keepAliveMsMax, lingerMsMax, strangerSpoolsMax } from './http-limits.ts';
import { RequestLog } from './request-log.ts';
import { SpoolRoom } from './spool.ts';
import { answerError, SyncEndpoint } from './sync-endpoint.ts';
import { syncHeaderName } from './sync-header.ts';

export interface HttpServerOptions {
  readonly accounts: Accounts;
  readonly dispatcher: Dispatcher;
  readonly log: Log;
  /** Folder for payloads of senders who are not known yet. */
  readonly spoolFolder: string;
  readonly payloadBytesMax: number;
  readonly inflatedBytesMax: number;
  readonly ipHeader: AddressSource;
  /** For tests: `stalledBodyMsMax` of the limits otherwise. */
  readonly stalledMsMax?: number;
  /** For tests: `lingerMsMax` of the limits otherwise. */
  readonly lingerMsMax?: number;
}

/** The server as the network sees it. */
export class HttpServer implements AsyncDisposable {
  readonly #app: FastifyInstance;
  readonly #options: HttpServerOptions;
  readonly #logs = new WeakMap<IncomingMessage, RequestLog>();
  #isClosing = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#app = newApp({
      onNonsense: (error, socket) => this.#refuseNonsense(error, socket),
      onBadAddress: (error, request, reply) => this.#answerError(error, request, reply),
    });
    this.#app.addHook('onRequest', (request, reply, next) => this.#begin(request, reply, next));
    this.#app.setErrorHandler((error, request, reply) => this.#answerError(error, request, reply));
    this.#addRoutes();
  }

  /** Starts to listen. Returns the port, which is a free one for port 0. Throws when the address cannot be had. */
  async listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    await this.#app.listen(address);
    const bound = this.#app.server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : address.port;
  }

  /** Takes no more connections, lets running requests finish for `graceMs` and then cuts off what is left. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const closed = this.#app.close();
    const isOver = await Promise.race([closed.then(() => true), delay(graceMs, false, { ref: false })]);
    if (!isOver) this.#app.server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }

  #addRoutes(): void {
    const { stalledMsMax = stalledBodyMsMax, spoolFolder, payloadBytesMax } = this.#options;
    const spoolRoom = new SpoolRoom(spoolFolder, strangerSpoolsMax * payloadBytesMax);
    const endpoint = new SyncEndpoint({ ...this.#options, stalledMsMax, spoolRoom });
    const answer = async (method: SyncMethod | MediaMethod, request: FastifyRequest, reply: FastifyReply) => {
      reply.hijack(); // The endpoint writes the response itself, in the dress of the request.
      await endpoint.handle({ request: request.raw, response: reply.raw, method, log: this.#logOf(request) });
    };
    this.#app.post<MethodParams>('/sync/:method(.+)', (request, reply) => {
      const { method } = request.params;
      return isSyncMethod(method) ? answer(method, request, reply) : this.#refuseMethod(method, request, reply);
    });
    this.#app.post<MethodParams>('/msync/:method(.+)', (request, reply) => {
      const { method } = request.params;
      return isMediaMethod(method) ? answer(method, request, reply) : this.#refuseMethod(method, request, reply);
    });
    this.#app.get('/msync/begin', (request, reply) => answer('begin', request, reply));
    this.#app.get('/health', (_request, reply) => reply.send());
    this.#app.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(welcome));
    this.#app.setNotFoundHandler((request, reply) => this.#refuseAddress(request, reply));
  }

  #begin(request: FastifyRequest, reply: FastifyReply, next: () => void): void {
    const log = new RequestLog(this.#options.log, request.url);
    this.#logs.set(request.raw, log);
    log.add({ ip: clientAddress(request.raw, this.#options.ipHeader) });
    log.writeAfter(reply.raw);
    reply.raw.once('finish', () => drainRest(request.raw, this.#options.lingerMsMax ?? lingerMsMax));
    reply.raw.once('close', () => this.#isClosing && setImmediate(() => this.#app.server.closeIdleConnections()));
    next();
  }

  #logOf(request: FastifyRequest): RequestLog {
    return this.#logs.get(request.raw) ?? new RequestLog(this.#options.log, request.url);
  }

  /** A name that no client asks for. The official server answers 400 with an explanation, in place of 404. */
  #refuseMethod(method: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const text = `There is no sync method ${JSON.stringify(method.slice(0, 50))}. The letter case counts.`;
    this.#logOf(request).fail(text, false);
    return reply.code(400).type('text/plain; charset=utf-8').send(text);
  }

  /** 405 for the wrong verb, 404 for all other addresses; no bodies. Same as the official server. */
  #refuseAddress(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const allowed = allowedVerbs(request.url.replace(/\?.*$/s, ''));
    if (allowed === undefined) {
      this.#logOf(request).fail('There is nothing at this address', false);
      return reply.code(404).send();
    }
    this.#logOf(request).fail(`This address takes ${allowed}, not ${request.method}`, false);
    return reply.code(405).header('allow', allowed).send();
  }

  #answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack();
    answerError({ response: reply.raw, log: this.#logOf(request) }, error);
  }

  /** What is no HTTP/1 never becomes a request. */
  #refuseNonsense(error: Error, socket: Socket): void {
    this.#options.log.debug({ ip: socket.remoteAddress, context: error.message }, 'not a request');
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 3\r\n\r\n400');
    else socket.destroy(error);
  }
}

interface MethodParams {
  readonly Params: { readonly method: string };
}

const welcome = `This is a sync server for Anki.

It has nothing to show here. Type this address into Anki instead, where it asks for a self-hosted sync server.
`;

interface Refusals {
  onNonsense(error: Error, socket: Socket): void;
  onBadAddress(error: Error, request: FastifyRequest, reply: FastifyReply): void;
}

function newApp({ onNonsense, onBadAddress }: Refusals): FastifyInstance {
  const app = fastify({
    http: { maxHeaderSize: headersBytesMax, headersTimeout: headersMsMax },
    keepAliveTimeout: keepAliveMsMax,
    requestTimeout: 0, // Bodies are watched for silence, not for their whole time: see `readBody`.
    clientErrorHandler: onNonsense,
    frameworkErrors: onBadAddress,
    rewriteUrl: (request) =>
      intendedTarget({
        method: request.method ?? '',
        target: request.url ?? '/',
        hasSyncHeader: request.headers[syncHeaderName] !== undefined,
        contentType: request.headers['content-type'],
      }),
    routerOptions: { maxParamLength: headersBytesMax },
  });
  // Sync bodies are streams that only their method understands; nobody else reads or limits them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
  return app;
}

function allowedVerbs(path: string): string | undefined {
  if (path === '/health' || path === '/') return 'GET,HEAD';
  if (path === '/msync/begin') return 'GET,HEAD,POST';
  return /^\/m?sync\/[^/]+$/.test(path) ? 'POST' : undefined;
}
