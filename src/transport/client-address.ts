import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { type Peer, unixPeer } from './peer.ts';
import type { ProxyTrust } from './proxy-trust.ts';

/** Where a proxy puts the client's address. The values are those of the setting, see `config/address-settings.ts`. */
const headerOfSource = {
  ConnectInfo: undefined,
  XRealIp: 'x-real-ip',
  RightmostXForwardedFor: 'x-forwarded-for',
  CfConnectingIp: 'cf-connecting-ip',
  TrueClientIp: 'true-client-ip',
  FlyClientIp: 'fly-client-ip',
  CloudFrontViewerAddress: 'cloudfront-viewer-address',
} as const;
export type AddressSource = keyof typeof headerOfSource;

/** Headers by which a request shows that it came through a proxy. */
const proxyHeaders = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'] as const;

/** What is known of where a request comes from. */
export interface ClientAddress {
  /** An IP address, or words where there is none, see `Peer`. */
  readonly ip: string;
  /** It is the address of a proxy, and any client may be behind it. */
  readonly isShared: boolean;
  /** A header told another address, and its sender is not among those who are believed. */
  readonly isDisbelieved: boolean;
}

/** The parts of an `IncomingMessage` in which proxies write. */
export interface AddressedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly headersDistinct: NodeJS.Dict<string[]>;
}

/** Where the address of a client is looked for, and who is believed. */
export interface AddressRules {
  readonly source: AddressSource;
  readonly trust: ProxyTrust;
}

/**
 * The address of the client. When a believed header is missing or holds no address it is that of the connection; the
 * official server refuses such requests, which locks everybody out for a slip in a proxy's settings.
 */
export function clientAddress(from: Peer, request: AddressedRequest, { source, trust }: AddressRules): ClientAddress {
  const peer = plain(from);
  const isTrusted = trust.trusts(peer);
  const name = headerOfSource[source];
  const values = name === undefined ? undefined : request.headersDistinct[name];
  const told = values === undefined ? undefined : toldAddress(values, source, (address) => trust.isProxy(address));
  if (told !== undefined && isTrusted) return { ip: told, isShared: false, isDisbelieved: false };
  return {
    ip: peer,
    isShared: peer === unixPeer || (isTrusted && isProxied(request.headers)),
    isDisbelieved: told !== undefined,
  };
}

/** The address in the values of its header; undefined when they are unusable. Proxies in a list are passed over. */
export function toldAddress(
  values: readonly string[],
  source: AddressSource,
  isProxy: (address: string) => boolean = () => false,
): string | undefined {
  if (source === 'RightmostXForwardedFor') return rightmost(values.join(',').split(','), isProxy);
  const [text = '', ...others] = values;
  if (others.length > 0 || text.includes(',')) return undefined;
  const bare = text.trim();
  return asAddress(source === 'CloudFrontViewerAddress' ? bare.slice(0, Math.max(0, bare.lastIndexOf(':'))) : bare);
}

function rightmost(list: readonly string[], isProxy: (address: string) => boolean): string | undefined {
  let found: string | undefined;
  for (const text of list.toReversed()) {
    const address = asAddress(text.trim());
    if (address === undefined) return found; // Whoever wrote this cannot be asked any further.
    found = address;
    if (!isProxy(address)) return found;
  }
  return found;
}

/** Some proxies write `192.0.2.1:1234` or `[2001:db8::1]:1234`. */
function asAddress(text: string): string | undefined {
  const bare = text.replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
  return isIP(bare) === 0 ? undefined : plain(bare);
}

function isProxied(headers: IncomingHttpHeaders): boolean {
  return proxyHeaders.some((name) => headers[name] !== undefined);
}

/** IPv4 clients of an IPv6 socket appear as `::ffff:192.0.2.1`. */
function plain(address: string): string {
  if (!address.startsWith(':')) return address;
  const inner = address.replace(/^::ffff:/i, '');
  return isIP(inner) === 4 ? inner : address;
}
