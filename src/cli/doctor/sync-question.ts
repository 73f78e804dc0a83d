import { zstdCompressSync } from 'node:zlib';
import { inOnePiece, type Question, type Reply } from './exchange.ts';

/** A key that no server has given to anybody: every server of Anki's protocol answers 403. */
const unknownKey = 'doctor-0000000000000000000000000000000000';
const syncHeader = JSON.stringify({ v: 11, k: unknownKey, c: 'doctor,0,doctor', s: 'doctor' });
export const boundary = 'anki-sync-doctor-boundary';

/** A message of today's clients, with a key that is refused. `base` is what is typed into clients. */
export function modernQuestion(base: URL): Question {
  const json = JSON.stringify({ v: 11, cv: 'anki,0 (doctor),doctor' });
  return {
    url: syncUrl(base, 'meta'),
    method: 'POST',
    headers: modernHeaders(),
    body: inOnePiece(zstdCompressSync(json)),
  };
}

export function modernHeaders(): Record<string, string> {
  return { 'anki-sync': syncHeader, 'content-type': 'application/octet-stream', accept: '*/*' };
}

/** The same of clients before 2.1.57: a form, without a header of its own. */
export function formQuestion(base: URL): Question {
  return {
    url: syncUrl(base, 'meta'),
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: inOnePiece(Buffer.from(`${formStart}{}${formEnd}`)),
  };
}

/** A form has its payload first and the key last, so that a server has to read it to its end before it can refuse it. */
export const formStart = `--${boundary}\r\nContent-Disposition: form-data; name="data"; filename="data"\r\nContent-Type: application/octet-stream\r\n\r\n`;
export const formEnd = `\r\n--${boundary}\r\nContent-Disposition: form-data; name="k"\r\n\r\n${unknownKey}\r\n--${boundary}--\r\n`;

/** What a client makes of the address that was typed: it joins URLs, which drops what stands behind the last slash. */
export function syncUrl(base: URL, method: string): URL {
  return new URL(`sync/${method}`, base);
}

/** Is this how a sync server refuses a key that it does not know? A page of a proxy with that status is longer. */
export function isKeyRefused(reply: Reply): boolean {
  return reply.kind === 'reply' && reply.status === 403 && reply.text.trim() === '403';
}

/** The page that this server shows to people. */
export function isWelcome(reply: Reply): boolean {
  return reply.kind === 'reply' && reply.status === 200 && reply.text.startsWith('This is a sync server for Anki.');
}
