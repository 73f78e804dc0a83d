import { isIP } from 'node:net';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What somebody types into a client. */
export type PublicAddress =
  | { readonly kind: 'address'; readonly url: URL }
  /** No client can use it. */
  | { readonly kind: 'unusable'; readonly finding: Finding };

/** Reads an address as clients do. */
export function readPublicAddress(text: string): PublicAddress {
  const remedy = 'Give the address that is typed into Anki, such as https://sync.example.org/.';
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return {
      kind: 'unusable',
      finding: problem(`${JSON.stringify(text)} is not an address that begins with https:// or http://`, remedy),
    };
  }
  if (url.hostname === 'ankiweb.net' || url.hostname.endsWith('.ankiweb.net')) {
    return { kind: 'unusable', finding: problem(`${url.hostname} is AnkiWeb, not a server of yours`, remedy) };
  }
  return { kind: 'address', url };
}

/** Is the address one that works in every client? Whether it leads anywhere is not asked here. */
export function judgePublicAddress(url: URL): readonly Finding[] {
  const found: Finding[] = [];
  if (url.username !== '' || url.password !== '') {
    found.push(warning('the address holds a name or a password', 'Leave them out; Anki asks for both.'));
  }
  if (url.search !== '' || url.hash !== '') {
    found.push(
      problem(
        'the address holds a ? or a #',
        'Leave out what begins with it: clients put their own part behind the address.',
      ),
    );
  }
  if (/\/m?sync\/?$/.test(url.pathname)) {
    const remedy =
      'Leave that part out, unless the client asks for two addresses (Anki before 2.1.57, AnkiDroid before 2.16).';
    found.push(warning('the address ends in sync/ or msync/, which clients put behind it by themselves', remedy));
  }
  if (url.protocol === 'http:' && !isLocalName(url.hostname)) {
    const remedy =
      'Use HTTPS for a server that is reached from the internet: docs/proxies.md has settings for proxies.';
    found.push(warning('the address begins with http://, so that passwords and cards travel in clear', remedy));
  }
  return found.length > 0 ? found : [ok(`the address ${url.href} has the right form`)];
}

/** In a network of one's own plain HTTP is fine. */
export function isLocalName(hostname: string): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) !== 0) return isPrivateAddress(bare);
  return bare === 'localhost' || !bare.includes('.') || /\.(?:local|lan|home|internal|home\.arpa|ts\.net)$/.test(bare);
}

/** Is it an address that is not reached from elsewhere? */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 4) {
    const [first = 0, second = 0] = address.split('.').map(Number);
    if (first === 172) return second >= 16 && second < 32;
    if (first === 100) return second >= 64 && second < 128; // Shared by the customers of a provider, and by Tailscale.
    return [10, 127].includes(first) || (first === 192 && second === 168) || (first === 169 && second === 254);
  }
  return address === '::1' || /^(?:f[cd]|fe[89ab])/i.test(address);
}
