import { isIP } from 'node:net';
import { type Environment, quoted, type Setting } from './setting.ts';

/** Where metrics can be had: nowhere, at an address of their own, or beside the syncs for who has the token. */
export type MetricsSettings =
  | { readonly kind: 'off' }
  | { readonly kind: 'listener'; readonly host: string; readonly port: number; readonly token: string | undefined }
  | { readonly kind: 'token'; readonly token: string };

/** What can be guessed within a lifetime is no secret. */
const tokenCharsMin = 16;

export const METRICS_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_METRICS_PORT',
    byDefault: 'none, no metrics',
    meaning: 'Port for /metrics, /health and /ready alone, for Prometheus; 0 for any free one.',
  },
  {
    name: 'SYNC_METRICS_HOST',
    byDefault: '127.0.0.1',
    meaning: 'IP address to listen on for that.',
  },
  {
    name: 'SYNC_METRICS_TOKEN',
    byDefault: 'none',
    meaning: `Who asks for /metrics must send it as "Authorization: Bearer". Without SYNC_METRICS_PORT, /metrics is then on SYNC_PORT. At least ${tokenCharsMin} characters.`,
  },
];

/** Where metrics can be had. None of the problems quotes the token. */
export function readMetrics(env: Environment, problems: string[], warnings: string[]): MetricsSettings {
  const token = readToken(env['SYNC_METRICS_TOKEN'], problems);
  const port = env['SYNC_METRICS_PORT'];
  const host = env['SYNC_METRICS_HOST'];
  if (port === undefined) {
    if (host !== undefined) {
      problems.push('SYNC_METRICS_HOST is set without SYNC_METRICS_PORT. Set both, the port for example to 9464.');
    }
    return token === undefined ? { kind: 'off' } : { kind: 'token', token };
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    problems.push(`SYNC_METRICS_PORT: ${quoted(port)} is not a port. Use a number from 0 to 65535, such as 9464.`);
  }
  const listenHost = host ?? '127.0.0.1';
  if (isIP(listenHost) === 0) {
    problems.push(`SYNC_METRICS_HOST: ${quoted(listenHost)} is not an IP address. Use 127.0.0.1, or 0.0.0.0 for all.`);
  } else if (!/^(?:127\.|::1$)/.test(listenHost) && token === undefined) {
    warnings.push(
      `SYNC_METRICS_HOST: whoever reaches ${listenHost} can read the metrics, with the names of the users. Set SYNC_METRICS_TOKEN, or keep strangers out.`,
    );
  }
  return { kind: 'listener', host: listenHost, port: Number(port), token };
}

function readToken(text: string | undefined, problems: string[]): string | undefined {
  if (text === undefined) return undefined;
  if (/^[\x21-\x7e]+$/.test(text) && text.length >= tokenCharsMin) return text;
  problems.push(
    `SYNC_METRICS_TOKEN must have at least ${tokenCharsMin} characters, ASCII without blanks. Make one with: openssl rand -hex 24`,
  );
  return undefined;
}
