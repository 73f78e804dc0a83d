import { isIP } from 'node:net';
import { type Environment, quoted, type Setting } from './setting.ts';

/** Where the address of a client comes from. Same values as the official server. */
export const IP_HEADERS = [
  'ConnectInfo',
  'XRealIp',
  'RightmostXForwardedFor',
  'CfConnectingIp',
  'TrueClientIp',
  'FlyClientIp',
  'CloudFrontViewerAddress',
] as const;
export type IpHeader = (typeof IP_HEADERS)[number];

export const ADDRESS_SETTINGS: readonly Setting[] = [
  { name: 'SYNC_HOST', byDefault: '0.0.0.0', meaning: 'IP address to listen on; :: for IPv6 too.' },
  { name: 'SYNC_PORT', byDefault: '8080', meaning: 'Port to listen on; 0 for any free one.' },
  {
    name: 'SYNC_IP_HEADER',
    byDefault: 'ConnectInfo',
    meaning: `Behind a proxy: the header that tells the client's address. ${IP_HEADERS.join(', ')}.`,
  },
];

/** Where the server listens: all that a health check needs. */
export function readAddress(env: Environment, problems: string[]): { readonly host: string; readonly port: number } {
  const host = env['SYNC_HOST'] ?? '0.0.0.0';
  if (isIP(host) === 0) {
    problems.push(`SYNC_HOST: ${quoted(host)} is not an IP address. Use 0.0.0.0 for all networks or 127.0.0.1.`);
  }
  const port = env['SYNC_PORT'] ?? '8080';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    problems.push(`SYNC_PORT: ${quoted(port)} is not a port. Use a number from 0 to 65535, such as 8080.`);
  }
  return { host, port: Number(port) };
}

/** Where a proxy says who is asking. */
export function readIpHeader(text: string | undefined, problems: string[]): IpHeader {
  const found = IP_HEADERS.find((name) => name === (text ?? 'ConnectInfo'));
  if (found !== undefined) return found;
  problems.push(`SYNC_IP_HEADER: ${quoted(text ?? '')} is not known. Use one of ${IP_HEADERS.join(', ')}.`);
  return 'ConnectInfo';
}
