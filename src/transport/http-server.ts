import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
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
import { messageRefusal, type Pages, pageAnswer, plainText, sendPage } from './pages.ts';
import { peerOf } from './peer.ts';
import { type Probes, probePages } from './probes.ts';
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

/** The server as the network sees it. */
export class HttpServer implements AsyncDisposable {
  readonly #endpoint: SyncEndpoint;
  /** What stands at addresses that are no messages of a sync. */
  readonly #pages: Pages;
  readonly #http: Server;
  readonly #options: HttpServerOptions;
  readonly #listeners: Listeners;
  readonly #addressRules: AddressRules;
  readonly #rareLog: RareLog;
  #isClosing = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#rareLog = new RareLog(options.log);
    this.#addressRules = { source: options.ipHeader, trust: new ProxyTrust(options.trustedProxies) };
    this.#endpoint = newEndpoint(options);
    const { probes = { problems: async () => [], metrics: undefined } } = options;
    this.#pages = new Map([['/', () => ({ status: 200, text: welcome, headers: plainText })], ...probePages(probes)]);
    this.#http = newHttp(options.headersMsMax ?? headersMsMax)
      .on('request', (request, response) => this.#receive(request, response))
      .on('clientError', (error, socket) => this.#refuseNonsense(error, socket));
    this.#listeners = new Listeners(this.#http, options.log, options.tls);
  }

  /** Starts to listen in all these places, or throws `ListenError` and listens nowhere. */
  async open(addresses: readonly ListenAddress[]): Promise<readonly BoundAddress[]> {
    // The HTTP server does not listen itself, and with this event it begins to watch over slow headers.
    this.#http.emit('listening');
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
    this.#http.close(); // Ends connections that are idle; what still comes on the others is answered with 503.
    const isOver = await Promise.race([ended.then(() => true), delay(graceMs, false, { ref: false })]);
    if (!isOver) this.#listeners.cutAll();
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isClosing) {
      refuseWhileClosing(response);
      return;
    }
    request.url = intendedTarget({
      method: request.method ?? '',
      target: request.url ?? '/',
      hasSyncHeader: request.headers[syncHeaderName] !== undefined,
      contentType: request.headers['content-type'],
    });
    const caller = this.#callerOf(request);
    const log = new RequestLog(this.#options, request.url);
    log.add({ ip: caller.ip });
    log.writeAfter(response);
    response.on('finish', () => {
      drainRest(request, this.#options.lingerMsMax ?? lingerMsMax);
      if (this.#isClosing) setImmediate(() => this.#http.closeIdleConnections());
    });
    const method = methodOf(request.method ?? '', request.url);
    if (method !== undefined) void this.#endpoint.handle({ request, response, method, caller, log });
    else void this.#answerPage(request, response, log);
  }

  async #answerPage(request: IncomingMessage, response: ServerResponse, log: RequestLog): Promise<void> {
    try {
      const answer = messageRefusal(request) ?? (await pageAnswer(request, this.#pages));
      if (answer.refusal !== undefined) log.fail(answer.refusal, false);
      sendPage(response, answer);
    } catch (error) {
      answerError({ response, log }, error);
    }
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

  /** What is no HTTP/1 never becomes a request. */
  #refuseNonsense(error: Error, socket: Duplex): void {
    const ip = socket instanceof Socket ? peerOf(socket) : undefined;
    this.#options.log.debug({ ip, context: error.message }, 'not a request');
    const isTls = 'rawPacket' in error && error.rawPacket instanceof Uint8Array && error.rawPacket[0] === tlsFirstByte;
    if (isTls) this.#rareLog.warn({ ip }, 'A client speaks TLS to a plain port; its address must begin with http://');
    if (isTls || !socket.writable) socket.destroy();
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 3\r\n\r\n400');
  }
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
  response.writeHead(503, { connection: 'close', ...plainText, 'content-length': 3 });
  response.end('503');
}

function newHttp(headersTimeout: number): Server {
  return createServer({
    maxHeaderSize: headersBytesMax,
    headersTimeout,
    connectionsCheckingInterval: headersTimeout / 2,
    keepAliveTimeout: keepAliveMsMax,
    requestTimeout: 0, // Bodies are watched for silence, not for their whole time: see `readBody`.
  });
}
