import { networkInterfaces } from 'node:os';
import type { Config } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import { type BoundAddress, type ListenAddress, listenText } from '../transport/listen-address.ts';
import { ListenError } from '../transport/listeners.ts';
import { type ClientAddress, clientAddresses } from './addresses.ts';

/** What is told of a server that has just started. */
export interface Announced {
  /** How many there are. */
  readonly users: number;
  /** The data folder. */
  readonly base: string;
  readonly bound: readonly BoundAddress[];
  /** Names that clients will accept. */
  readonly certificateNames: readonly string[];
}

/** What a server that has just started tells its owner. */
export function announcement(version: string, { users, base, bound, certificateNames }: Announced): string {
  const interfaces = networkInterfaces();
  const addresses = bound.flatMap((each) =>
    each.kind === 'tcp' ? clientAddresses(each, interfaces, certificateNames) : [],
  );
  const sockets = bound
    .filter((each) => each.kind === 'unix')
    .map((each) => `Listening on ${listenText(each)}, too.\n`);
  const lines = [...new Set(addresses.toSorted((a, b) => Number(a.isLocal) - Number(b.isLocal)).map(lineOf))];
  const places =
    lines.length === 0
      ? 'It listens on no address that can be typed into Anki; a proxy has to stand before it.\n'
      : `Type one of these addresses into Anki, at Preferences > Syncing > Self-hosted sync server:\n${lines.join('')}`;
  return `anki-sync-server ${version}: ${users === 1 ? '1 user' : `${users} users`}, data in ${base}\n${places}${sockets.join('')}`;
}

function lineOf({ url, isLocal }: ClientAddress): string {
  return `  ${url}${isLocal ? '  (only on this computer)' : ''}\n`;
}

/** Why the server cannot listen, with the setting and the remedy. */
export function listenProblem(config: Config, error: unknown): string {
  if (!(error instanceof ListenError)) return `SYNC_HOST, SYNC_PORT: cannot listen: ${messageOf(error)}`;
  const { address, cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  switch (address.kind) {
    case 'tcp':
      return tcpProblem(address, code, isOwn(config, address), cause);
    case 'unix':
      return `SYNC_LISTEN: cannot listen on ${address.path}: ${unixProblem(code, cause)}`;
    case 'passed':
      return `LISTEN_FDS: cannot use socket ${address.fd}: ${messageOf(cause)}. Is it a listening stream socket?`;
    default:
      return address satisfies never;
  }
}

type TcpAddress = ListenAddress & { readonly kind: 'tcp' };

function isOwn(config: Config, { host, port }: TcpAddress): boolean {
  return host === config.host && port === config.port;
}

function tcpProblem({ host, port, tls }: TcpAddress, code: string, isOwnAddress: boolean, cause: unknown): string {
  const [hostSetting, portSetting] = isOwnAddress ? ['SYNC_HOST', 'SYNC_PORT'] : ['SYNC_LISTEN', 'SYNC_LISTEN'];
  switch (code) {
    case 'EADDRINUSE':
      return `${portSetting}: port ${port} is in use on ${host}. Stop the other program, or use another port.`;
    case 'EACCES':
      return `${portSetting}: port ${port} is not allowed for this account. Use one from 1024 on, such as ${tls ? 8443 : 8080}.`;
    case 'EADDRNOTAVAIL':
      return `${hostSetting}: ${host} is not an address of this computer. Use 0.0.0.0 for all networks.`;
    case 'EAFNOSUPPORT':
      return `${hostSetting}: this computer has no IPv6, so ${host} cannot be used.`;
    default:
      return `${hostSetting}, ${portSetting}: cannot listen on ${host}:${port}: ${messageOf(cause)}`;
  }
}

function unixProblem(code: string, cause: unknown): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another program listens there. Stop it, or use another path.';
    case 'ENOTSOCK':
      return 'there is something else of this name. Remove it, or use another path.';
    case 'ENOENT':
      return 'its folder does not exist. Make the folder first.';
    case 'EACCES':
      return 'this account may not write in its folder.';
    default:
      return messageOf(cause);
  }
}
