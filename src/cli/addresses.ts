import type { NetworkInterfaceInfo } from 'node:os';
import { urlOf } from '../transport/listen-address.ts';

/** What people type into a client. */
export interface ClientAddress {
  readonly url: string;
  /** Only reachable from this computer. */
  readonly isLocal: boolean;
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Where a listener waits. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/**
 * Every address under which a listener can be reached, those for other devices first. With TLS it has to be one of
 * `certificateNames`, or no client accepts it.
 */
export function clientAddresses(
  listening: Listening,
  interfaces: Interfaces,
  certificateNames: readonly string[] = [],
): readonly ClientAddress[] {
  const reachable = reachableAddresses(listening, interfaces);
  if (!listening.tls) return reachable;
  const names = certificateNames.filter(
    (name) => /^[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+$/u.test(name) && !isNumeric(name),
  );
  const isLocal = reachable.every((each) => each.isLocal);
  const named = names.map((name) => ({ url: urlOf(name, listening.port, true), isLocal }));
  const certified = reachable.filter(({ url }) => certificateNames.some((name) => sameHost(url, name)));
  const usable = [...named, ...certified];
  return usable.length === 0 ? reachable : usable;
}

function reachableAddresses({ host, port, tls }: Listening, interfaces: Interfaces): readonly ClientAddress[] {
  const isEverywhere = host === '0.0.0.0' || host === '::';
  const found = Object.values(interfaces).flatMap((infos) => infos ?? []);
  const usable = found.filter((info) => (isEverywhere ? isTypeable(info, host) : info.address === host));
  const addresses = usable.map(({ address, internal }) => ({ url: urlOf(address, port, tls), isLocal: internal }));
  if (addresses.length === 0) addresses.push({ url: urlOf(host, port, tls), isLocal: false });
  return addresses.toSorted((a, b) => Number(a.isLocal) - Number(b.isLocal));
}

/** Link-local IPv6 addresses need a zone that no client takes, and are left out. */
function isTypeable(info: NetworkInterfaceInfo, host: string): boolean {
  if (info.family === 'IPv4') return true;
  return host === '::' && !info.address.startsWith('fe80:');
}

function isNumeric(name: string): boolean {
  return /^[\d.]+$/.test(name);
}

/** `URL` writes IPv6 addresses in their shortest form; certificates have their own. */
function sameHost(url: string, name: string): boolean {
  const host = name.includes(':') ? `[${name}]` : name;
  return URL.canParse(`https://${host}/`) && new URL(`https://${host}/`).hostname === new URL(url).hostname;
}
