import { lookup } from 'node:dns/promises';
import { connect, isIPv6 } from 'node:net';
import { type Finding, ok, problem, warning } from './finding.ts';
import { isLocalName, isPrivateAddress } from './public-address.ts';

/** What the name leads to, and whether somebody listens there. */
export interface ReachFacts {
  readonly hostname: string;
  readonly port: number;
  /** Code of the system when the name cannot be looked up. */
  readonly lookupCode?: string;
  /** `code` is that of the system, or `TIMEOUT`; undefined when a connection was made. */
  readonly addresses: readonly { readonly address: string; readonly code?: string }[];
}

const connectMsMax = 5000;

export async function gatherReach(url: URL): Promise<ReachFacts> {
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = portOf(url);
  try {
    const found = await lookup(hostname, { all: true });
    const once = [...new Set(found.map(({ address }) => address))];
    return { hostname, port, addresses: await Promise.all(once.map((address) => tryAddress(address, port))) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { hostname, port, lookupCode: code, addresses: [] };
  }
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function tryAddress(address: string, port: number): Promise<{ address: string; code?: string }> {
  const { promise, resolve } = Promise.withResolvers<{ address: string; code?: string }>();
  const socket = connect({ host: address, port, timeout: connectMsMax });
  socket.once('connect', () => resolve({ address }));
  socket.once('timeout', () => resolve({ address, code: 'TIMEOUT' }));
  socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve({ address, code: code ?? 'unknown' }));
  void promise.then(() => socket.destroy());
  return promise;
}

/** Do clients find the computer, at every address that the name has? */
export function judgeReach(facts: ReachFacts): readonly Finding[] {
  const { hostname, port, lookupCode, addresses } = facts;
  if (lookupCode !== undefined) {
    const remedy =
      'Look for a slip in the name. A new name needs an A record (IPv4) or an AAAA record (IPv6), and up to some hours to be known.';
    return [problem(`the name ${hostname} cannot be looked up (${lookupCode})`, remedy)];
  }
  const reached = addresses.filter(({ code }) => code === undefined);
  const findings = addresses.map(({ address, code }) =>
    judgeAddress({ address, code, port, isOnly: reached.length === 0 }),
  );
  return [
    ...findings,
    ...judgeScope(
      hostname,
      addresses.map(({ address }) => address),
    ),
  ];
}

function judgeAddress(at: { address: string; code: string | undefined; port: number; isOnly: boolean }): Finding {
  const { address, code, port, isOnly } = at;
  if (code === undefined) return ok(`somebody listens at ${address}, port ${port}`);
  const text = `nobody can be reached at ${address}, port ${port} (${code})`;
  if (isOnly) return problem(text, remedyOf(code, port));
  const record = isIPv6(address) ? 'AAAA' : 'A';
  return problem(
    text,
    `Some devices will try this address first. Make the proxy listen there, open the port, or remove the ${record} record.`,
  );
}

function remedyOf(code: string, port: number): string {
  if (code === 'ECONNREFUSED') {
    return `The computer is there, but no program listens on port ${port}: start the proxy or the server, and look at the port.`;
  }
  return `Open port ${port} in the firewall, and in the router let it lead to this computer. From within a home network the public address of that network often cannot be reached: then try from outside.`;
}

function judgeScope(hostname: string, addresses: readonly string[]): Finding[] {
  if (isLocalName(hostname) || addresses.length === 0 || !addresses.every(isPrivateAddress)) return [];
  const remedy = 'That is right for a VPN or a name for your own network; otherwise set the public address in the DNS.';
  return [warning(`the name ${hostname} leads to an address of a private network (${addresses.join(', ')})`, remedy)];
}
