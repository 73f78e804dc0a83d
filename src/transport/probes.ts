import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

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

const plainText = 'text/plain; charset=utf-8';

/** `/health`: the process lives. `/ready`: it can do its work. `/metrics`: what it has done. */
export function addProbes(
  app: FastifyInstance,
  { problems, metrics }: Probes,
  onRefusal: (request: FastifyRequest, why: string) => void,
): void {
  app.get('/health', (_request, reply) => reply.send());
  app.get('/ready', async (_request, reply) => {
    const found = await problems();
    const text = found.length === 0 ? 'ready' : found.join('\n');
    return reply
      .code(found.length === 0 ? 200 : 503)
      .type(plainText)
      .header('cache-control', 'no-store')
      .send(`${text}\n`);
  });
  if (metrics === undefined) return;
  const { token } = metrics;
  app.get('/metrics', async (request, reply): Promise<FastifyReply> => {
    if (token !== undefined && !bearsToken(request.headers.authorization, token)) {
      onRefusal(request, 'The token for metrics is missing or wrong');
      return reply.code(401).header('www-authenticate', 'Bearer').type(plainText).send('401');
    }
    return reply.type(metrics.contentType).send(await metrics.text());
  });
}

/** Compared by digests, so that the time says neither how much of the token is right nor how long it is. */
export function bearsToken(header: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(digestOf(given), digestOf(token));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
