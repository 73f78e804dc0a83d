import { connect, createServer } from 'node:net';
import { type ListenAddress, listenText, urlOf } from '../../transport/listen-address.ts';
import { publishedAddress } from '../control/control-address.ts';
import { ask } from './exchange.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { isWelcome } from './sync-question.ts';

/** Who is at one of the places where the server of these settings listens. */
export interface ListenerFacts {
  readonly where: string;
  readonly state: /** This project's server. */
    | 'ours'
    /** Somebody else. */
    | 'other'
    | 'free'
    /** Nobody, and it cannot be had either: the code of the system. */
    | { readonly code: string };
}

export interface ServerFacts {
  /** Does a server hold the data folder of these settings, and answer to commands? */
  readonly isRunning: boolean;
  readonly listeners: readonly ListenerFacts[];
}

/** Does a server run on this data folder? */
export function isServerRunning(base: string): Promise<boolean> {
  const address = publishedAddress(base);
  if (address === undefined) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(address);
  socket
    .once('connect', () => resolve(true))
    .once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code !== 'ENOENT' && code !== 'ECONNREFUSED'); // Somebody is there who may not be asked.
    });
  socket.once('connect', () => socket.destroy());
  return promise;
}

export async function gatherServer(isRunning: boolean, listen: readonly ListenAddress[]): Promise<ServerFacts> {
  return { isRunning, listeners: await Promise.all(listen.map(lookAt)) };
}

async function lookAt(address: ListenAddress): Promise<ListenerFacts> {
  const where = listenText(address);
  if (address.kind === 'passed' || (address.kind === 'tcp' && address.port === 0)) return { where, state: 'free' };
  const host = address.kind === 'tcp' ? reachable(address.host) : 'localhost';
  const url = new URL(urlOf(host, address.kind === 'tcp' ? address.port : 80, address.tls));
  const reply = await ask({ url, ...(address.kind === 'unix' && { socketPath: address.path }), timeoutMs: 5000 });
  if (reply.kind === 'reply') return { where, state: isWelcome(reply) ? 'ours' : 'other' };
  if (address.kind === 'unix')
    return { where, state: ['ENOENT', 'ECONNREFUSED'].includes(reply.code) ? 'free' : 'other' };
  if (reply.code !== 'ECONNREFUSED') return { where, state: 'other' };
  const code = await codeOfListening(address.host, address.port);
  return { where, state: code === undefined ? 'free' : { code } };
}

/** `0.0.0.0` is where a server listens, not where it can be asked. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** Listens for a moment. Undefined when that works. */
function codeOfListening(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  return promise;
}

/** Is the server there, and if not, could it be? */
export function judgeServer({ isRunning, listeners }: ServerFacts): readonly Finding[] {
  const first = isRunning
    ? ok('a server runs on this data folder')
    : warning('no server runs on this data folder', 'Start it; what clients meet can only be tried while it runs.');
  return [first, ...listeners.map((listener) => judgeListener(listener, isRunning))];
}

function judgeListener({ where, state }: ListenerFacts, isRunning: boolean): Finding {
  if (state === 'ours') {
    if (isRunning) return ok(`it answers at ${where}`);
    const remedy = 'Run the doctor with the SYNC_BASE of that server, or give this one another port (SYNC_PORT).';
    return problem(`a server with another data folder, or of another account, answers at ${where}`, remedy);
  }
  if (state === 'other') {
    const remedy = 'Stop that program, or use another port (SYNC_PORT).';
    return problem(`another program answers at ${where}, or one that does not understand HTTP`, remedy);
  }
  if (state === 'free') {
    if (!isRunning) return ok(`nobody else listens at ${where}`);
    return problem(
      `the server runs, but nobody answers at ${where}`,
      'It was started with other settings than these: restart it, or run the doctor with its variables.',
    );
  }
  return problem(`nobody can listen at ${where} (${state.code})`, remedyOf(state.code));
}

function remedyOf(code: string): string {
  switch (code) {
    case 'EACCES':
      return 'This account may not use ports below 1024. Use another one (SYNC_PORT) and a proxy in front of it.';
    case 'EADDRNOTAVAIL':
      return 'It is not an address of this computer. Use SYNC_HOST=0.0.0.0 for all networks.';
    case 'EADDRINUSE':
      return 'Another program has the port. Stop it, or use another port (SYNC_PORT).';
    default:
      return 'Use another SYNC_HOST or SYNC_PORT.';
  }
}
