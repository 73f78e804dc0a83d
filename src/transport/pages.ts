import type { IncomingMessage, ServerResponse } from 'node:http';
import { SyncError } from '../errors.ts';
import { pathOf } from './address.ts';

/** What stands at an address that is no sync message. */
export interface PageAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Why it is no, for the log. */
  readonly refusal?: string;
}

export type Page = (request: IncomingMessage) => PageAnswer | Promise<PageAnswer>;

/** Pages by their path, for GET and HEAD. */
export type Pages = ReadonlyMap<string, Page>;

export const plainText = { 'content-type': 'text/plain; charset=utf-8' };

/**
 * The page that is asked for. Otherwise as the official server: 405 for the wrong verb, 404 for addresses that are none, both
 * without a body. Throws `SyncError` when the address cannot be read.
 */
export async function pageAnswer(request: IncomingMessage, pages: Pages): Promise<PageAnswer> {
  const { method: verb = '', url = '/' } = request;
  const page = pages.get(decodedPathOf(url));
  if (page === undefined) return { status: 404, text: '', refusal: 'There is nothing at this address' };
  return isReading(verb) ? page(request) : wrongVerb(verb, 'GET,HEAD');
}

/**
 * What a request is told that means a sync message and is none; undefined when it means something else. A name that no client
 * asks for is 400 with an explanation, as with the official server.
 */
export function messageRefusal({ method: verb = '', url = '/' }: IncomingMessage): PageAnswer | undefined {
  const path = decodedPathOf(url);
  const name = /^\/m?sync\/([^/]+)$/.exec(path)?.[1];
  if (name === undefined) return undefined;
  if (verb !== 'POST') return wrongVerb(verb, path === '/msync/begin' ? 'GET,HEAD,POST' : 'POST');
  // Those who write clients forget the letter case.
  const text = `There is no sync method ${JSON.stringify(name.slice(0, 50))}. The letter case counts.`;
  return { status: 400, text, headers: plainText, refusal: text };
}

export function sendPage(response: ServerResponse, { status, text, headers }: PageAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function isReading(verb: string): boolean {
  return verb === 'GET' || verb === 'HEAD';
}

function wrongVerb(verb: string, allowed: string): PageAnswer {
  return { status: 405, text: '', headers: { allow: allowed }, refusal: `This address takes ${allowed}, not ${verb}` };
}

function decodedPathOf(target: string): string {
  try {
    return decodeURIComponent(pathOf(target));
  } catch (error) {
    throw new SyncError('malformedRequest', 'Cannot read the address', { cause: error });
  }
}
