import { ask, type Reply } from './exchange.ts';
import { type Finding, ok, warning } from './finding.ts';
import { isKeyRefused, modernQuestion } from './sync-question.ts';

/** What happens to somebody who types http:// in place of https://. */
export interface PlainHttpFacts {
  readonly reply: Reply;
}

/** Undefined when the address has a port of its own, so that nobody knows where http would be. */
export async function gatherPlainHttp(url: URL): Promise<PlainHttpFacts | undefined> {
  if (url.protocol !== 'https:' || url.port !== '') return undefined;
  const plain = new URL(url);
  plain.protocol = 'http:';
  return { reply: await ask({ ...modernQuestion(plain), timeoutMs: 5000 }) };
}

/** Is http closed, or does it lead on to https in a way that clients follow? */
export function judgePlainHttp({ reply }: PlainHttpFacts): readonly Finding[] {
  if (reply.kind === 'failure') return [ok('nobody answers at http://, so nothing can be sent in clear by mistake')];
  const { status, headers } = reply;
  const location = headers['location'] ?? '';
  if (isKeyRefused(reply)) {
    const remedy =
      'Let the proxy answer http:// with a redirect (308) to https://, so that no password travels in clear.';
    return [warning('the server can also be reached by http://', remedy)];
  }
  if (status === 308 && location.startsWith('https:'))
    return [ok('http:// leads to https:// (308), which clients follow')];
  if (status >= 300 && status < 400) {
    const text = `http:// leads elsewhere with ${status}, which clients do not follow`;
    return [
      warning(
        text,
        'People have to type https://. With status 308 devices that still have http:// would change over by themselves.',
      ),
    ];
  }
  return [ok(`http:// is answered with ${status}; https:// has to be typed`)];
}
