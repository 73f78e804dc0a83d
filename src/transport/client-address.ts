import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

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

/**
 * The address of the client, for the log only. When the header is missing or is no address it is that of the
 * connection; the official server refuses such requests, which locks everybody out for a slip in a proxy's settings.
 */
export function clientAddress(request: IncomingMessage, source: AddressSource): string {
  const name = headerOfSource[source];
  const values = name === undefined ? undefined : request.headersDistinct[name];
  const told = values === undefined ? undefined : toldAddress(values, source);
  return told ?? plain(request.socket.remoteAddress ?? '');
}

/** The address in the values of its header; undefined when they are unusable. */
export function toldAddress(values: readonly string[], source: AddressSource): string | undefined {
  const isList = source === 'RightmostXForwardedFor';
  if (!isList && values.length !== 1) return undefined;
  const text =
    values
      .at(-1)
      ?.split(',')
      .at(isList ? -1 : 0)
      ?.trim() ?? '';
  const address = source === 'CloudFrontViewerAddress' ? text.slice(0, Math.max(0, text.lastIndexOf(':'))) : text;
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  return isIP(bare) === 0 ? undefined : plain(bare);
}

/** IPv4 clients of an IPv6 socket appear as `::ffff:192.0.2.1`. */
function plain(address: string): string {
  const inner = address.replace(/^::ffff:/i, '');
  return isIP(inner) === 4 ? inner : address;
}
