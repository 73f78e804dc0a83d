import { isIPv6 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** What people type into a client. */
export interface ClientAddress {
  readonly url: string;
  /** Only reachable from this computer. */
  readonly isLocal: boolean;
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Every address under which a server that listens on `host` can be reached, those for other devices first. */
export function clientAddresses(host: string, port: number, interfaces: Interfaces): readonly ClientAddress[] {
  const isEverywhere = host === '0.0.0.0' || host === '::';
  const found = Object.values(interfaces).flatMap((infos) => infos ?? []);
  const usable = found.filter((info) => (isEverywhere ? isTypeable(info, host) : info.address === host));
  const addresses = usable.map(({ address, internal }) => ({ url: urlOf(address, port), isLocal: internal }));
  if (addresses.length === 0) addresses.push({ url: urlOf(host, port), isLocal: false });
  return addresses.toSorted((a, b) => Number(a.isLocal) - Number(b.isLocal));
}

/** Link-local IPv6 addresses need a zone that no client takes, and are left out. */
function isTypeable(info: NetworkInterfaceInfo, host: string): boolean {
  if (info.family === 'IPv4') return true;
  return host === '::' && !info.address.startsWith('fe80:');
}

/** The slash at the end counts: clients put `sync/` right behind it. */
export function urlOf(address: string, port: number): string {
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}/`;
}
