import { chmodSync, lstatSync, rmSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Log } from '../log.ts';
import { tlsHandshakeMsMax } from './http-limits.ts';
import { type BoundAddress, type ListenAddress, listenText } from './listen-address.ts';
import { notePeer, type Peer, peerOf, unknownPeer } from './peer.ts';
import { RareLog } from './rare-log.ts';
import type { TlsKeeper } from './tls-keeper.ts';

/** A listener that cannot be opened; `cause` is what the system said. */
export class ListenError extends Error {
  readonly address: ListenAddress;

  constructor(address: ListenAddress, cause: unknown) {
    super(`Cannot listen on ${listenText(address)}`, { cause });
    this.name = 'ListenError';
    this.address = address;
  }
}

/** The first byte of a TLS connection: the record type "handshake". */
export const tlsFirstByte = 0x16;

const httpOnTlsAnswer = `This port speaks HTTPS. Begin the address with https:// instead of http://.\n`;

/** Waits for connections in several places and hands all of them, decrypted, to one HTTP server that does not listen. */
export class Listeners {
  readonly #http: HttpServer;
  readonly #log: Log;
  readonly #rareLog: RareLog;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #tls: TlsKeeper | undefined;
  /** Connections on which nothing has come yet. */
  readonly #silent = new Set<Socket>();

  constructor(http: HttpServer, log: Log, tls?: TlsKeeper) {
    this.#http = http;
    this.#log = log;
    this.#rareLog = new RareLog(log);
    this.#tls = tls;
  }

  /** Opens one. Throws `ListenError`. */
  async open(address: ListenAddress): Promise<BoundAddress> {
    try {
      if (address.kind === 'unix') await removeStaleSocket(address.path);
      const server = address.tls ? this.#serverForTls(this.#tls) : this.#serverForPlain();
      await listen(server, address);
      this.#servers.push(server);
      if (address.kind === 'unix') chmodSync(address.path, address.mode);
      return boundAddress(server, address);
    } catch (error) {
      throw new ListenError(address, error);
    }
  }

  /** Takes no more connections; settles when all that there are have ended. Unix sockets are removed. */
  async close(): Promise<void> {
    for (const socket of this.#silent) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise<void>((done) => server.close(() => done()))));
  }

  /** Ends all connections at once, whatever they do. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #serverForPlain(): Server {
    // As `node:http` makes its own: it closes its side itself.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#track(socket, kind.isUnix);
      this.#http.emit('connection', socket);
    });
    const kind = kindOf(server);
    return server;
  }

  /** Plain HTTP is told so in its own words, which takes a look at the first byte. */
  #serverForTls(keeper: TlsKeeper | undefined): Server {
    if (keeper === undefined) throw new Error('there is no certificate');
    const server: Server = createServer({ noDelay: true }, (socket) => {
      this.#track(socket, kind.isUnix);
      this.#silent.add(socket);
      socket.setTimeout(tlsHandshakeMsMax, () => socket.destroy());
      socket.on('error', () => {}); // Until somebody else takes care of it.
      socket.once('close', () => this.#silent.delete(socket));
      socket.once('readable', () => {
        const piece: Buffer | null = socket.read();
        if (piece === null) return void socket.destroy();
        this.#silent.delete(socket);
        socket.setTimeout(0);
        socket.removeAllListeners('timeout');
        if (/^[A-Z]{3,7} /.test(piece.toString('latin1', 0, 8))) return this.#refusePlain(socket);
        socket.unshift(piece);
        tls.emit('connection', socket);
      });
    });
    const kind = kindOf(server);
    const tls = this.#tlsServer(keeper, kind);
    return server;
  }

  /** Turns connections into decrypted ones; does not listen itself. */
  #tlsServer(keeper: TlsKeeper, kind: ListenerKind): TlsServer {
    const options = { ...keeper.identity.context, handshakeTimeout: tlsHandshakeMsMax, ALPNProtocols: ['http/1.1'] };
    const server = createTlsServer(options, (socket) => {
      notePeer(socket, kind.isUnix);
      // With TLS 1.3 a client looks at the certificate when this side is done already.
      socket.on('error', (error) => this.#hint(error, peerOf(socket)));
      this.#http.emit('connection', socket);
    });
    server.on('tlsClientError', (error, { remoteAddress = unknownPeer }) => {
      this.#log.debug({ ip: remoteAddress, context: error.message }, 'no TLS connection');
      this.#hint(error, remoteAddress);
    });
    keeper.onChange((identity) => server.setSecureContext(identity.context));
    return server;
  }

  #hint(error: Error, ip: Peer): void {
    const hint = hintOf(error);
    if (hint !== undefined) this.#rareLog.warn({ ip }, hint);
  }

  #refusePlain(socket: Socket): void {
    this.#rareLog.warn(
      { ip: socket.remoteAddress },
      'A client speaks plain HTTP to an HTTPS port; its address must begin with https://',
    );
    const length = Buffer.byteLength(httpOnTlsAnswer);
    const head = `HTTP/1.1 400 This port speaks HTTPS\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`;
    socket.setTimeout(tlsHandshakeMsMax, () => socket.destroy());
    socket.resume(); // What still comes is dropped, so that the sender sees the answer.
    socket.end(head + httpOnTlsAnswer);
  }

  #track(socket: Socket, isOnUnix: boolean): void {
    notePeer(socket, isOnUnix);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** What is known of a listener as soon as it listens. */
interface ListenerKind {
  isUnix: boolean;
}

function kindOf(server: Server): ListenerKind {
  const kind = { isUnix: false };
  server.once('listening', () => {
    const address = server.address();
    // Of a Unix socket that was passed Node does not know the path. Once closed no listener has an address: hence now.
    kind.isUnix = address === null || typeof address === 'string';
  });
  return kind;
}

/** What the owner of the server can do about a failed handshake. */
function hintOf(error: Error): string | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (/UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|PROTOCOL_VERSION/.test(code)) {
    return 'a client is too old for TLS 1.2';
  }
  if (/UNKNOWN_CA|CERTIFICATE_UNKNOWN|BAD_CERTIFICATE|CERTIFICATE_EXPIRED/.test(code)) {
    return 'a client does not accept the TLS certificate: unknown issuer, missing chain, wrong name or expired';
  }
  return undefined;
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listenOptions(address), () => {
      server.off('error', reject);
      // Accepting may fail for want of file descriptors; those who are connected go on.
      server.on('error', () => {});
      resolve();
    });
  });
}

function listenOptions(address: ListenAddress) {
  switch (address.kind) {
    case 'tcp':
      return { host: address.host, port: address.port, ipv6Only: address.ipv6Only };
    case 'unix':
      return { path: address.path };
    case 'passed':
      return { fd: address.fd };
    default:
      return address satisfies never;
  }
}

function boundAddress(server: Server, address: ListenAddress): BoundAddress {
  const { tls } = address;
  const bound = server.address();
  // Of a Unix socket that was passed on Node does not know the path.
  if (bound === null) return { kind: 'unix', path: listenText(address), tls };
  if (typeof bound === 'string') return { kind: 'unix', path: bound, tls };
  return { kind: 'tcp', host: bound.address, port: bound.port, tls };
}

/** A server that was killed leaves its socket behind, and then nobody could listen there. */
async function removeStaleSocket(path: string): Promise<void> {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined) return;
  if (!info.isSocket()) throw Object.assign(new Error('something else has this name'), { code: 'ENOTSOCK' });
  if (await isAnswered(path)) throw Object.assign(new Error('another program listens there'), { code: 'EADDRINUSE' });
  rmSync(path, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      if ('code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT')) resolve(false);
      else reject(error);
    });
  });
}
