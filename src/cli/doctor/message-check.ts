import { ask, type Reply } from './exchange.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { formQuestion, isKeyRefused, isWelcome, modernQuestion } from './sync-question.ts';

/** What the address answers to messages as clients send them, with a key that nobody has. */
export interface MessageFacts {
  readonly base: URL;
  /** As today's clients ask: with the header `anki-sync`. */
  readonly modern: Reply;
  /** As old ones do: a form, without that header. */
  readonly form: Reply;
  /** What a browser gets. */
  readonly page: Reply;
}

export async function gatherMessage(base: URL): Promise<MessageFacts> {
  const [modern, form, page] = [
    await ask(modernQuestion(base)),
    await ask(formQuestion(base)),
    await ask({ url: base }),
  ];
  return { base, modern, form, page };
}

/** Does a sync server answer, and does it get messages as they were sent? */
export function isReached({ modern }: Pick<MessageFacts, 'modern'>): boolean {
  return isKeyRefused(modern);
}

/** Does the message of a client reach the server with all that belongs to it? */
export function judgeMessage(facts: MessageFacts): readonly Finding[] {
  const { modern, form, page } = facts;
  if (isKeyRefused(modern)) {
    const found = [ok('a sync server answers, and the header anki-sync reaches it'), nameOfServer(page)];
    if (isKeyRefused(form)) return found;
    const text = `messages of clients before 2.1.57 do not reach the server: ${described(form)}`;
    return [
      ...found,
      warning(text, 'Forms (multipart/form-data) must pass the proxy as they are, as other messages do.'),
    ];
  }
  if (isKeyRefused(form)) {
    const text = `the header anki-sync does not reach the server: ${described(modern)}`;
    return [
      problem(
        text,
        'Let the proxy pass on all headers of a request, or this one by name. Firewalls for web pages may drop headers that they do not know.',
      ),
    ];
  }
  return [judgeStranger(modern)];
}

function nameOfServer(page: Reply): Finding {
  if (isWelcome(page)) return ok('it is anki-sync-server');
  return ok("it may be Anki's own server or one of a kind that shows no page; further checks may not fit it");
}

/** Somebody else has answered, or nobody. */
function judgeStranger(reply: Reply): Finding {
  if (reply.kind === 'failure') {
    const remedy = 'Look whether the proxy and the server run, and at the log of the proxy.';
    return problem(`no answer to the message of a client (${reply.code}: ${reply.message})`, remedy);
  }
  const { status, headers } = reply;
  if (status >= 300 && status < 400) return judgeRedirect(status, headers['location'] ?? '');
  const text = `the message of a client is answered by somebody else: ${described(reply)}`;
  return problem(text, remedyOf(status));
}

function remedyOf(status: number): string {
  switch (status) {
    case 401:
    case 407:
      return 'Something in between asks for a password of its own, which no client can send. Leave this address out of it; the server has its own passwords.';
    case 400:
      return 'The server did not understand the message: something in between has changed its header or its body. If it was the proxy that answered, look at its log.';
    case 403:
      return 'A firewall or the proxy refuses the message (the answer of the server itself would be the three digits 403). Allow POST to /sync/ and /msync/ without tests for browsers.';
    case 404:
      return 'The path does not lead to the server. Compare the path that is typed with that in the settings of the proxy, and the slash at the end of both. AnkiWeb and other servers answer so, too.';
    case 405:
      return 'The path leads to something that takes no POST. Compare it with the settings of the proxy.';
    case 413:
      return 'The proxy does not even let a small body through: look at its limit for bodies. nginx: client_max_body_size 0.';
    case 429:
      return 'Something in between counts requests. Leave this address out of it: a sync is many requests.';
    case 500:
      return 'Look at the log of the server and of the proxy.';
    case 502:
    case 503:
    case 504:
      return 'The proxy answers, but does not reach the server. Does the server run, at the address and port that the proxy has in its settings? In containers 127.0.0.1 is the container itself.';
    case 200:
      return 'Another application answers at this address, or the proxy has no rule for the path. Compare name, port and path with the settings of the proxy.';
    default:
      return 'Compare name, port and path with the settings of the proxy.';
  }
}

function judgeRedirect(status: number, location: string): Finding {
  const text = `the message of a client is sent elsewhere: ${status} to ${location || 'nowhere'}`;
  const target = location.replace(/m?sync\/[A-Za-z0-9]*$/, '');
  const hint = /^https:/.test(target) ? `Type ${target} into Anki` : 'Type the address to which it leads';
  return problem(
    text,
    `${hint}, or let the proxy pass messages on: clients do not follow such answers, or lose what they had to say.`,
  );
}

/** `404 Not Found, from nginx, "<html>…"` */
export function described(reply: Reply): string {
  if (reply.kind === 'failure') return `no answer (${reply.code})`;
  const { status, reason, headers, text } = reply;
  const title = /<title>([^<]*)/i.exec(text)?.[1] ?? text;
  const shown = title.replaceAll(/\s+/g, ' ').trim().slice(0, 60);
  const from = headers['server'] === undefined ? '' : `, from ${headers['server']}`;
  return `${status} ${reason.slice(0, 80)}${from}${shown === '' ? '' : `, ${JSON.stringify(shown)}`}`;
}
