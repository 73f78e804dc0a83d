import { isProxyEntry, trustedByDefault } from '../transport/proxy-trust.ts';
import { type IpHeader, readIpHeader } from './address-settings.ts';
import { type Environment, quoted, type Setting } from './setting.ts';

export const PROXY_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_TRUSTED_PROXIES',
    byDefault: trustedByDefault.join(', '),
    meaning:
      'Whose header with the address of a client is believed: addresses and ranges such as 10.0.0.0/8, loopback, private. Set without SYNC_IP_HEADER it means RightmostXForwardedFor.',
  },
];

/** Which header tells the address of a client, and who may send it. */
export interface ProxyConfig {
  readonly ipHeader: IpHeader;
  /** For `ProxyTrust`. */
  readonly trustedProxies: readonly string[];
}

/** Who is believed about the address of a client, and in which header. */
export function readProxies(env: Environment, problems: string[], warnings: string[]): ProxyConfig {
  const list = env['SYNC_TRUSTED_PROXIES'];
  const header = env['SYNC_IP_HEADER'];
  const entries = list?.split(/[\s,]+/).filter((entry) => entry !== '');
  for (const entry of entries ?? []) {
    if (isProxyEntry(entry)) continue;
    problems.push(
      `SYNC_TRUSTED_PROXIES: ${quoted(entry)} is not an address. Use some such as 192.0.2.7, 10.0.0.0/8, loopback or private.`,
    );
  }
  const ipHeader = header === undefined && entries?.length ? 'RightmostXForwardedFor' : readIpHeader(header, problems);
  if (entries?.length && ipHeader === 'ConnectInfo') {
    warnings.push('SYNC_TRUSTED_PROXIES has no effect, because SYNC_IP_HEADER is ConnectInfo: no header is read.');
  }
  return { ipHeader, trustedProxies: entries ?? trustedByDefault };
}
