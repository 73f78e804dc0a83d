import { setTimeout as delay } from 'node:timers/promises';
import { KiB, MiB } from '../../limits.ts';
import { sizeText } from '../commands/table.ts';
import { ask, type Reply } from './exchange.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { described } from './message-check.ts';
import { boundary, formEnd, formStart, isKeyRefused, modernHeaders, syncUrl } from './sync-question.ts';

/** How large bodies fare on their way. */
export interface BodyFacts {
  /** Bodies in the order in which they were sent, each larger than the one before; the last may have failed. */
  readonly tries: readonly { readonly bytes: number; readonly reply: Reply; readonly elapsedMs: number }[];
  /** The largest that was to be tried, bytes. */
  readonly bytesWanted: number;
}

/** Common limits of proxies lie between these: 1 MB (nginx), 10, 50, 100 MB (Cloudflare). */
const STEPS: readonly number[] = [64 * KiB, 2 * MiB, 16 * MiB, 64 * MiB];
/** A body that would probably take longer is not sent, milliseconds. */
const bodyMsMax = 60_000;
const pieceBytes = 64 * KiB;

/**
 * Sends bodies of zeros up to `bytesMax`. They are forms of old clients whose key comes last, so the server has to take
 * all of it before it can refuse it, and keeps nothing.
 */
export async function gatherBodies(base: URL, bytesMax: number): Promise<BodyFacts> {
  const steps = [...STEPS.filter((bytes) => bytes < bytesMax), bytesMax];
  const tries: { bytes: number; reply: Reply; elapsedMs: number }[] = [];
  for (const bytes of steps) {
    const last = tries.at(-1);
    if (last !== undefined && (last.elapsedMs * bytes) / last.bytes > bodyMsMax) break;
    const startedMs = performance.now();
    const reply = await sendBody(base, bytes);
    tries.push({ bytes, reply, elapsedMs: performance.now() - startedMs });
    if (!isKeyRefused(reply)) break;
  }
  return { tries, bytesWanted: bytesMax };
}

function sendBody(base: URL, bytes: number): Promise<Reply> {
  return ask({
    url: syncUrl(base, 'upload'),
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, 'content-length': String(bytes) },
    body: zerosInForm(bytes - formStart.length - formEnd.length),
    timeoutMs: bodyMsMax,
  });
}

async function* zerosInForm(bytes: number): AsyncGenerator<Uint8Array> {
  yield Buffer.from(formStart);
  const piece = new Uint8Array(pieceBytes);
  for (let left = bytes; left > 0; left -= piece.length) yield left < piece.length ? piece.subarray(0, left) : piece;
  yield Buffer.from(formEnd);
}

/** How large may a collection or a media file be that is sent? */
export function judgeBodies({ tries, bytesWanted }: BodyFacts): readonly Finding[] {
  const passed = tries.findLast(({ reply }) => isKeyRefused(reply));
  const failed = tries.find(({ reply }) => !isKeyRefused(reply));
  const upTo = passed === undefined ? 'no body at all' : `bodies up to ${sizeText(passed.bytes)}`;
  if (failed !== undefined) {
    const text = `a body of ${sizeText(failed.bytes)} does not reach the server, ${upTo} does: ${described(failed.reply)}`;
    return [problem(text, remedyOf(failed.reply))];
  }
  if (passed === undefined) return [];
  if (passed.bytes >= bytesWanted) return [ok(`${upTo} reach the server, which is its own limit`)];
  const remedy = 'Larger ones were not tried, because the line is slow. Large first uploads will take long.';
  return [warning(`${upTo} reach the server, the largest in ${Math.round(passed.elapsedMs / 1000)} s`, remedy)];
}

function remedyOf(reply: Reply): string {
  if (reply.kind === 'reply' && reply.text.trim() === '400') {
    return 'That is the limit of the server itself: raise MAX_SYNC_PAYLOAD_MEGS if the collection or a media file is larger, and restart it.';
  }
  if (reply.kind === 'reply' && reply.status === 413) {
    return 'The proxy limits bodies. nginx: client_max_body_size 0; Apache: limits of mod_security; Caddy: leave out request_body; Traefik: no buffering middleware; Cloudflare: 100 MB in the free plan.';
  }
  if (reply.kind === 'failure' && reply.code === 'TIMEOUT') {
    return 'The connection stood still for a minute: look at the timeouts of the proxy, and at the log of the server.';
  }
  return 'Something in between ended the connection, probably by a limit for bodies or for the time of a request: look at the log of the proxy.';
}

/** Whether the server sees the beginning of a request before its end was sent. */
export interface StreamingFacts {
  readonly reply: Reply;
  /** When the end of the body was sent, epoch milliseconds by the clock of the server. */
  readonly endAtMs: number;
}

/** The server refuses a stranger after 64 KiB; so much is sent at once, and the end later. */
const beginningBytes = 512 * KiB;
const pauseMs = 4000;
/** `Date` has whole seconds. */
const dateStepMs = 1000;

/** `remoteAheadMs`: how far the clock of the server is ahead of ours. */
export async function gatherStreaming(base: URL, remoteAheadMs: number): Promise<StreamingFacts> {
  let endAtMs = Number.POSITIVE_INFINITY;
  const answered = new AbortController();
  async function* inTwoPieces(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(beginningBytes);
    await delay(pauseMs, undefined, { signal: answered.signal }).catch(() => undefined);
    endAtMs = Date.now() + remoteAheadMs;
  }
  const reply = await ask({
    url: syncUrl(base, 'meta'),
    method: 'POST',
    headers: modernHeaders(),
    body: inTwoPieces(),
    timeoutMs: 30_000,
  });
  answered.abort();
  return { reply, endAtMs };
}

/** Does the proxy pass a request on as it comes? */
export function judgeStreaming({ reply, endAtMs }: StreamingFacts): readonly Finding[] {
  if (reply.kind === 'failure') return []; // Told by other checks.
  // Some proxies pass an early answer on only behind the request; its `Date` then tells when the server gave it.
  const saidAtMs = Date.parse(reply.headers['date'] ?? '');
  const isEarly = reply.isEarly || saidAtMs + dateStepMs < endAtMs - pauseMs / 2;
  if (isEarly) return [ok('requests reach the server while they are being sent')];
  const text = 'the proxy keeps a request until all of it has come';
  return [
    warning(
      text,
      'Large uploads then look finished on the device while the proxy still passes them on, and the device gives up after a minute. nginx: proxy_request_buffering off and proxy_http_version 1.1.',
    ),
  ];
}
