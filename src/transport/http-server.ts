import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Accounts } from '../accounts/accounts.ts';
import { LoginThrottle } from '../accounts/login-throttle.ts';
import type { Dispatcher } from '../lanes/dispatcher.ts';
import { type Quota, withQuota } from '../lanes/quota.ts';
import { stalledBodyMsMax } from '../limits.ts';
import type { Log } from '../log.ts';
import type { ObserveRequest } from '../monitoring/request-over.ts';
import { intendedTarget, methodOf } from './address.ts';
import { drainRest } from './body-reader.ts';
import { type AddressRules, type AddressSource, type ClientAddress, clientAddress } from './client-address.ts';
import { headersBytesMax, headersMsMax, keepAliveMsMax, lingerMsMax, strangerSpoolsMax } from './http-limits.ts';
import type { BoundAddress, ListenAddress } from './listen-address.ts';
import { Listeners, tlsFirstByte } from './listeners.ts';
import { peerOf } from './peer.ts';
import { addProbes, type Probes } from './probes.ts';
import { ProxyTrust } from './proxy-trust.ts';
import { RareLog } from './rare-log.ts';
import { RequestLog } from './request-log.ts';
import { SpoolRoom } from './spool.ts';
import { answerError, SyncEndpoint } from './sync-endpoint.ts';
import { syncHeaderName } from './sync-header.ts';
import type { TlsKeeper } from './tls-keeper.ts';

export interface HttpServerOptions {
  readonly accounts: Accounts;
  readonly dispatcher: Dispatcher;
  readonly log: Log;
  /** Hears of every request that is over. */
  readonly observeRequest?: ObserveRequest;
  /** What monitoring may ask for; without it the server is always ready, and has no metrics. */
  readonly probes?: Probes;
  /** Folder for payloads of senders who are not known yet. */
  readonly spoolFolder: string;
  readonly payloadBytesMax: number;
  readonly inflatedBytesMax: number;
  readonly ipHeader: AddressSource;
  /** Entries of `ProxyTrust`; its default otherwise. */
  readonly trustedProxies?: readonly string[];
  /** The certificate for listeners with TLS. */
  readonly tls?: TlsKeeper | undefined;
  /** How much each user may store. */
  readonly quota?: Quota;
  /** For tests: `stalledBodyMsMax` of the limits otherwise. */
  readonly stalledMsMax?: number;
  /** For tests: `lingerMsMax` of the limits otherwise. */
  readonly lingerMsMax?: number;
  /** For tests: `headersMsMax` of the limits otherwise. */
  readonly headersMsMax?: number;
}

/** A request from its beginning on. */
interface Visit {
  readonly caller: ClientAddress;
  readonly log: RequestLog;
}

/** The server as the network sees it. */
export class HttpServer implements AsyncDisposable {
  readonly #endpoint: SyncEndpoint;
  /** Answers everything that is no message of a sync. */
  readonly #app: FastifyInstance;
  readonly #options: HttpServerOptions;
  readonly #listeners: Listeners;
  readonly #addressRules: AddressRules;
  readonly #rareLog: RareLog;
  readonly #visits = new WeakMap<IncomingMessage, Visit>();
  #isClosing = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#rareLog = new RareLog(options.log);
    this.#addressRules = { source: options.ipHeader, trust: new ProxyTrust(options.trustedProxies) };
    this.#endpoint = newEndpoint(options);
    this.#app = newApp(options.headersMsMax ?? headersMsMax, {
      onRequest: (request, response, others) => this.#receive(request, response, others),
      onNonsense: (error, socket) => this.#refuseNonsense(error, socket),
      onBadAddress: (error, request, reply) => this.#answerError(error, request, reply),
    });
    this.#app.setErrorHandler((error, request, reply) => this.#answerError(error, request, reply));
    this.#addRoutes();
    this.#listeners = new Listeners(this.#app.server, options.log, options.tls);
  }

  /** Starts to listen in all these places, or throws `ListenError` and listens nowhere. */
  async open(addresses: readonly ListenAddress[]): Promise<readonly BoundAddress[]> {
    await this.#app.ready();
    // The HTTP server does not listen itself, and with this event it begins to watch over slow headers.
    this.#app.server.emit('listening');
    try {
      const bound: BoundAddress[] = [];
      for (const address of addresses) bound.push(await this.#listeners.open(address));
      return bound;
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** Listens on one address, without TLS. Returns the port, which is a free one for port 0. */
  async listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    const [bound] = await this.open([{ kind: 'tcp', ...address, tls: false, ipv6Only: false }]);
    return bound?.kind === 'tcp' ? bound.port : address.port;
  }

  /** Takes no more connections, lets running requests finish for `graceMs` and then cuts off what is left. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const ended = this.#listeners.close();
    const closed = this.#app.close(); // Answers what still comes on open connections with 503.
    this.#app.server.close();
    const isOver = await Promise.race([ended.then(() => true), delay(graceMs, false, { ref: false })]);
    if (!isOver) this.#listeners.cutAll();
    await Promise.all([ended, closed]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }

  #addRoutes(): void {
    for (const prefix of ['sync', 'msync']) {
      this.#app.post<MethodParams>(`/${prefix}/:method(.+)`, (request, reply) => this.#refuseMethod(request, reply));
    }
    const { probes = { problems: async () => [], metrics: undefined } } = this.#options;
    addProbes(this.#app, probes, (request, why) => this.#visitOf(request).log.fail(why, false));
    this.#app.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(welcome));
    this.#app.setNotFoundHandler((request, reply) => this.#refuseAddress(request, reply));
  }

  /** Messages go straight to their endpoint, which writes the response in the dress of the request. */
  #receive(request: IncomingMessage, response: ServerResponse, others: RequestListener): void {
    request.url = intendedTarget({
      method: request.method ?? '',
      target: request.url ?? '/',
      hasSyncHeader: request.headers[syncHeaderName] !== undefined,
      contentType: request.headers['content-type'],
    });
    const method = methodOf(request.method ?? '', request.url);
    if (this.#isClosing && method !== undefined) {
      refuseWhileClosing(response);
      return;
    }
    const visit = this.#begin(request, response);
    if (method !== undefined) {
      void this.#endpoint.handle({ request, response, method, ...visit });
      return;
    }
    this.#visits.set(request, visit);
    others(request, response);
  }

  #begin(request: IncomingMessage, response: ServerResponse): Visit {
    const caller = this.#callerOf(request);
    const log = new RequestLog(this.#options, request.url ?? '/');
    log.add({ ip: caller.ip });
    log.writeAfter(response);
    response.on('finish', () => {
      drainRest(request, this.#options.lingerMsMax ?? lingerMsMax);
      if (this.#isClosing) setImmediate(() => this.#app.server.closeIdleConnections());
    });
    return { caller, log };
  }

  #visitOf({ raw, url }: FastifyRequest): Visit {
    return this.#visits.get(raw) ?? { caller: this.#callerOf(raw), log: new RequestLog(this.#options, url) };
  }

  #callerOf(request: IncomingMessage): ClientAddress {
    const peer = peerOf(request.socket);
    const caller = clientAddress(peer, request, this.#addressRules);
    if (caller.isDisbelieved) {
      this.#rareLog.warn(
        { peer },
        'A header tells the address of a client, but its sender is not in SYNC_TRUSTED_PROXIES',
      );
    } else if (caller.isShared) {
      this.#rareLog.warn({ peer }, 'A proxy does not tell whose requests it passes on; see SYNC_TRUSTED_PROXIES');
    }
    return caller;
  }

  /** A name that no client asks for. The official server answers 400 with an explanation, in place of 404. */
  #refuseMethod(request: FastifyRequest<MethodParams>, reply: FastifyReply): FastifyReply {
    const { method } = request.params;
    const text = `There is no sync method ${JSON.stringify(method.slice(0, 50))}. The letter case counts.`;
    this.#visitOf(request).log.fail(text, false);
    return reply.code(400).type('text/plain; charset=utf-8').send(text);
  }

  /** 405 for the wrong verb, 404 for all other addresses; no bodies. Same as the official server. */
  #refuseAddress(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const allowed = allowedVerbs(request.url.replace(/\?.*$/s, ''));
    if (allowed === undefined) {
      this.#visitOf(request).log.fail('There is nothing at this address', false);
      return reply.code(404).send();
    }
    this.#visitOf(request).log.fail(`This address takes ${allowed}, not ${request.method}`, false);
    return reply.code(405).header('allow', allowed).send();
  }

  #answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack();
    answerError({ response: reply.raw, log: this.#visitOf(request).log }, error);
  }

  /** What is no HTTP/1 never becomes a request. */
  #refuseNonsense(error: Error, socket: Socket): void {
    const ip = peerOf(socket);
    this.#options.log.debug({ ip, context: error.message }, 'not a request');
    const isTls = 'rawPacket' in error && error.rawPacket instanceof Uint8Array && error.rawPacket[0] === tlsFirstByte;
    if (isTls) this.#rareLog.warn({ ip }, 'A client speaks TLS to a plain port; its address must begin with http://');
    if (isTls || !socket.writable) socket.destroy();
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 3\r\n\r\n400');
  }
}

interface MethodParams {
  readonly Params: { readonly method: string };
}

const welcome = `This is a sync server for Anki.

It has nothing to show here. Type this address into Anki instead, where it asks for a self-hosted sync server.
`;

function newEndpoint(options: HttpServerOptions): SyncEndpoint {
  const { accounts, log, quota, spoolFolder, payloadBytesMax, stalledMsMax = stalledBodyMsMax } = options;
  const spoolRoom = new SpoolRoom(spoolFolder, strangerSpoolsMax * payloadBytesMax);
  const throttle = new LoginThrottle({ log, isUser: (name) => accounts.person(name) !== undefined });
  const dispatcher = quota === undefined ? options.dispatcher : withQuota(options.dispatcher, quota, log);
  return new SyncEndpoint({ ...options, dispatcher, stalledMsMax, spoolRoom, throttle });
}

/** The client is to come again, on another connection. */
function refuseWhileClosing(response: ServerResponse): void {
  response.writeHead(503, { connection: 'close', 'content-type': 'text/plain; charset=utf-8', 'content-length': 3 });
  response.end('503');
}

interface Hooks {
  /** `others` is Fastify. */
  onRequest(request: IncomingMessage, response: ServerResponse, others: RequestListener): void;
  onNonsense(error: Error, socket: Socket): void;
  onBadAddress(error: Error, request: FastifyRequest, reply: FastifyReply): void;
}

function newApp(headersTimeout: number, { onRequest, onNonsense, onBadAddress }: Hooks): FastifyInstance {
  const serverOptions = {
    maxHeaderSize: headersBytesMax,
    headersTimeout,
    connectionsCheckingInterval: headersTimeout / 2,
    keepAliveTimeout: keepAliveMsMax,
    requestTimeout: 0, // Bodies are watched for silence, not for their whole time: see `readBody`.
  };
  const app = fastify({
    serverFactory: (others) => createServer(serverOptions, (request, response) => onRequest(request, response, others)),
    clientErrorHandler: onNonsense,
    frameworkErrors: onBadAddress,
    routerOptions: { maxParamLength: headersBytesMax },
  });
  // Bodies at other addresses are nobody's to read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
  return app;
}

function allowedVerbs(path: string): string | undefined {
  if (path === '/health' || path === '/ready' || path === '/') return 'GET,HEAD';
  if (path === '/msync/begin') return 'GET,HEAD,POST';
  return /^\/m?sync\/[^/]+$/.test(path) ? 'POST' : undefined;
}
