import { createHash, timingSafeEqual } from 'node:crypto';
import { type Page, type PageAnswer, type Pages, plainText } from './pages.ts';

/** What monitoring asks a server for. */
export interface Probes {
  /** Why the server cannot do its work, one sentence each; empty when it can. */
  problems(): Promise<readonly string[]>;
  /** Undefined: `/metrics` is not there. */
  readonly metrics: MetricsAccess | undefined;
}

export interface MetricsAccess {
  readonly contentType: string;
  text(): Promise<string>;
  /** What has to come as `Authorization: Bearer`; undefined: anybody may ask. */
  readonly token: string | undefined;
}

/** `/health`: the process lives. `/ready`: it can do its work. `/metrics`: what it has done. */
export function probePages({ problems, metrics }: Probes): Pages {
  const pages = new Map<string, Page>([
    ['/health', () => ({ status: 200, text: '' })],
    ['/ready', async () => readiness(await problems())],
  ]);
  if (metrics !== undefined) pages.set('/metrics', (request) => metricsPage(metrics, request.headers.authorization));
  return pages;
}

function readiness(problems: readonly string[]): PageAnswer {
  const text = problems.length === 0 ? 'ready' : problems.join('\n');
  const headers = { ...plainText, 'cache-control': 'no-store' };
  return { status: problems.length === 0 ? 200 : 503, text: `${text}\n`, headers };
}

async function metricsPage(metrics: MetricsAccess, authorization: string | undefined): Promise<PageAnswer> {
  const { token, contentType } = metrics;
  if (token !== undefined && !bearsToken(authorization, token)) {
    const headers = { ...plainText, 'www-authenticate': 'Bearer' };
    return { status: 401, text: '401', headers, refusal: 'The token for metrics is missing or wrong' };
  }
  return { status: 200, text: await metrics.text(), headers: { 'content-type': contentType } };
}

/** Compared by digests, so that the time says neither how much of the token is right nor how long it is. */
export function bearsToken(header: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(digestOf(given), digestOf(token));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
