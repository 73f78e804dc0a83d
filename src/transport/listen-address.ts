import { isIPv6 } from 'node:net';

/** One place where the server waits for connections. */
export type ListenAddress =
  /** `host` is an IP address literal; port 0 is any free one. */
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls: boolean;
      /** `::` takes IPv4 as well, unless another listener has the same port there. */
      readonly ipv6Only: boolean;
    }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly tls: false }
  /** A socket that somebody else has bound and passed on: systemd, for one. */
  | { readonly kind: 'passed'; readonly fd: number; readonly tls: boolean };

/** A listener that is open. For TCP `port` is the one that it got. */
export type BoundAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: boolean }
  /** `path` of a socket that was passed on is words. */
  | { readonly kind: 'unix'; readonly path: string; readonly tls: boolean };

/** For logs and messages: `http://[::1]:8080/`, `unix:/run/anki.sock`, `passed socket 3`. */
export function listenText(address: ListenAddress | BoundAddress): string {
  switch (address.kind) {
    case 'tcp':
      return urlOf(address.host, address.port, address.tls);
    case 'unix':
      return address.path.startsWith('/') ? `unix:${address.path}` : address.path;
    case 'passed':
      return `passed socket ${address.fd}`;
    default:
      return address satisfies never;
  }
}

/** For the log line that tells where the server listens: `[::1]:8443 (TLS)`. */
export function boundText(address: BoundAddress): string {
  const { kind, tls } = address;
  if (kind === 'unix') return listenText(address);
  return `${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}${tls ? ' (TLS)' : ''}`;
}

/** The slash at the end counts: clients put `sync/` right behind it. `host` is a name or an address literal. */
export function urlOf(host: string, port: number, tls = false): string {
  const isUsual = tls && port === 443;
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}${isUsual ? '' : `:${port}`}/`;
}
