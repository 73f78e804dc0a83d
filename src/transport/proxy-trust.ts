import ipaddr from 'ipaddr.js';
import { type Peer, unixPeer } from './peer.ts';

/** Names of ranges, for settings. */
const NAMED_RANGES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'],
};

/** Who is believed without a list: a proxy on this computer or in its network. */
export const trustedByDefault: readonly string[] = ['loopback', 'private'];

/** So many answers about peers are remembered. */
const verdictsMax = 1000;

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Whose word about the address of a client counts. */
export class ProxyTrust {
  readonly #peers: readonly Range[];
  readonly #chain: readonly Range[];
  /** Answers that were given: most requests come from the same few. */
  readonly #verdicts = new Map<Peer, boolean>();

  /** Entries are `loopback`, `private`, addresses, and ranges such as `10.0.0.0/8`. Throws for anything else, naming it. */
  constructor(entries: readonly string[] = trustedByDefault) {
    this.#peers = entries.flatMap((entry) => (NAMED_RANGES[entry] ?? [entry]).map(parseRange));
    this.#chain = entries.filter((entry) => NAMED_RANGES[entry] === undefined).map(parseRange);
  }

  /** Is whoever has connected a proxy? Unix sockets have access rights instead of addresses. */
  trusts(peer: Peer): boolean {
    if (peer === unixPeer) return true;
    let verdict = this.#verdicts.get(peer);
    if (verdict === undefined) {
      verdict = isIn(peer, this.#peers);
      if (this.#verdicts.size === verdictsMax) this.#verdicts.clear();
      this.#verdicts.set(peer, verdict);
    }
    return verdict;
  }

  /**
   * Is this address, told by a proxy, a proxy itself? Only those listed by number: in the named ranges are clients, too,
   * and one that is taken for a proxy could make up the address before its own.
   */
  isProxy(address: string): boolean {
    return isIn(address, this.#chain);
  }
}

/** May it stand in a list of proxies? */
export function isProxyEntry(entry: string): boolean {
  return NAMED_RANGES[entry] !== undefined || ipaddr.isValidCIDR(entry) || isAddress(entry);
}

/** ipaddr.js also takes `1.2` and `0x7f.1`, which nobody means. */
function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
}

function parseRange(entry: string): Range {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry);
  if (!isAddress(entry)) throw new Error(`${JSON.stringify(entry)} is no address and no range`);
  const address = ipaddr.parse(entry);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function isIn(text: string, ranges: readonly Range[]): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text); // `::ffff:192.0.2.1` is an IPv4 address.
  return ranges.some(([base, bits]) => base.kind() === address.kind() && address.match([base, bits]));
}
