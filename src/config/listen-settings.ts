import { isIP, isIPv4 } from 'node:net';
import path from 'node:path';
import type { ListenAddress } from '../transport/listen-address.ts';
import { type Environment, quoted, type Setting } from './setting.ts';

/** Access of Unix sockets: owner and group, so that a proxy in the group can connect. */
const socketModeDefault = '660';
/** The first of the file descriptors that systemd passes. */
const firstPassedFd = 3;
const passedFdsMax = 64;

export const LISTEN_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_LISTEN',
    byDefault: 'none',
    meaning:
      'More places to listen, by commas, such as https://[::]:8443, http://127.0.0.1:8080 or unix:/run/anki/sync.sock. Alone it replaces SYNC_HOST and SYNC_PORT; beside one of these it adds to them. Without http or https: HTTPS if there is a certificate.',
  },
  {
    name: 'SYNC_SOCKET_MODE',
    byDefault: socketModeDefault,
    meaning: 'Access rights of Unix sockets, in octal.',
  },
];

/** What decides about listeners besides their own settings. */
export interface ListenContext {
  /** `SYNC_HOST` and `SYNC_PORT`, checked. */
  readonly own: { readonly host: string; readonly port: number };
  readonly hasCertificate: boolean;
  /** Of this process: passed sockets are meant for one process only. */
  readonly pid: number;
}

/** Everywhere the server is to listen; at least one. */
export function readListeners(env: Environment, context: ListenContext, problems: string[]): readonly ListenAddress[] {
  const mode = readSocketMode(env['SYNC_SOCKET_MODE'], problems);
  const texts = (env['SYNC_LISTEN'] ?? '').split(/[\s,]+/).filter((text) => text !== '');
  const listed = texts.flatMap((text) => parseListen(text, mode, context.hasCertificate, problems));
  const passed = passedSockets(env, context);
  const isOwnMeant = env['SYNC_HOST'] !== undefined || env['SYNC_PORT'] !== undefined || texts.length === 0;
  const own: ListenAddress = { kind: 'tcp', ...context.own, tls: context.hasCertificate, ipv6Only: false };
  return sharePorts([...passed, ...(passed.length === 0 && isOwnMeant ? [own] : []), ...listed]);
}

function parseListen(text: string, mode: number, hasCertificate: boolean, problems: string[]): ListenAddress[] {
  if (text.startsWith('unix:')) {
    const file = text.slice('unix:'.length);
    if (path.isAbsolute(file) && Buffer.byteLength(file) <= 100)
      return [{ kind: 'unix', path: file, mode, tls: false }];
    problems.push(`SYNC_LISTEN: ${quoted(text)} needs an absolute path of at most 100 bytes behind unix:.`);
    return [];
  }
  const [, scheme, bracketed, bare, port = ''] =
    /^(?:(https?):\/\/)?(?:\[([^\]]+)\]|([^[\]:/]+)):(\d{1,5})\/?$/.exec(text) ?? [];
  const host = bracketed ?? bare ?? '';
  if (isIP(host) !== (bracketed === undefined ? 4 : 6) || Number(port) > 65_535) {
    problems.push(
      `SYNC_LISTEN: ${quoted(text)} is not an address with a port. Use one such as http://127.0.0.1:8080, https://[::]:8443 or unix:/run/anki/sync.sock.`,
    );
    return [];
  }
  if (scheme === 'https' && !hasCertificate) {
    problems.push(`SYNC_LISTEN: ${quoted(text)} needs a certificate. Set SYNC_TLS_CERT and SYNC_TLS_KEY.`);
  }
  const tls = scheme === undefined ? hasCertificate : scheme === 'https';
  return [{ kind: 'tcp', host, port: Number(port), tls, ipv6Only: false }];
}

/** `::` would take the port from an IPv4 listener beside it. */
function sharePorts(listeners: readonly ListenAddress[]): readonly ListenAddress[] {
  const isIpv4On = (port: number) =>
    listeners.some((other) => other.kind === 'tcp' && isIPv4(other.host) && other.port === port && port !== 0);
  return listeners.map((each) =>
    each.kind === 'tcp' && each.host === '::' ? { ...each, ipv6Only: isIpv4On(each.port) } : each,
  );
}

/**
 * Sockets that systemd has bound and passed on (`sd_listen_fds(3)`): LISTEN_FDS of them from descriptor 3 on, meant for
 * the process LISTEN_PID. A socket unit may name them `http` and `https` (`FileDescriptorName=`).
 */
function passedSockets(env: Environment, { hasCertificate, pid }: ListenContext): ListenAddress[] {
  const count = Number(env['LISTEN_FDS'] ?? 0);
  if (Number(env['LISTEN_PID']) !== pid || !Number.isInteger(count) || count < 1 || count > passedFdsMax) return [];
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':');
  return Array.from({ length: count }, (_, n) => {
    const tls = hasCertificate && names[n] !== 'http';
    return { kind: 'passed', fd: firstPassedFd + n, tls } as const;
  });
}

function readSocketMode(text: string | undefined, problems: string[]): number {
  const mode = text ?? socketModeDefault;
  if (/^0?[0-7]{3}$/.test(mode)) return Number.parseInt(mode, 8);
  problems.push(`SYNC_SOCKET_MODE: ${quoted(mode)} is not a mode in octal. Use one such as 660 or 600.`);
  return Number.parseInt(socketModeDefault, 8);
}
