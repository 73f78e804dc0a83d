import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { asList, asObject, type Json, parseLossless } from './lossless-json.ts';

/** Recorded traffic between released clients and the official server, a folder per situation. */
export const exchangesFolder = path.join(import.meta.dirname, '../fixtures/exchanges');

/** One situation: the data folder before, the messages, the data folder after. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly user: string;
  /** `name:password`, the value of `SYNC_USER1`. */
  readonly account: string;
  readonly messages: readonly RecordedMessage[];
  /** Undefined for an account that did not exist yet, or that was not looked at afterwards. */
  readonly before: StoredAccount | undefined;
  readonly after: StoredAccount | undefined;
}

export interface RecordedMessage {
  /** `007-finish` */
  readonly label: string;
  /** `finish` */
  readonly method: string;
  /** When the server got it, epoch milliseconds. */
  readonly atMs: number;
  readonly request: {
    readonly verb: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    /** The body before zstd for modern clients, the body as sent for legacy ones. */
    readonly body: { readonly kind: 'none' } | { readonly kind: 'zstd' | 'asIs'; readonly bytes: Uint8Array };
  };
  readonly response: RecordedResponse;
}

/** The answer, decompressed. A proxy in between answered the messages that never reached the server. */
export type RecordedResponse = { readonly status: number } & (
  | { readonly kind: 'json'; readonly json: Json }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'zip' | 'collection'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'notFromServer' }
);

/** An account's folder with the server stopped. */
export interface StoredAccount {
  readonly collection: Uint8Array<ArrayBuffer> | undefined;
  readonly mediaDb: Uint8Array | undefined;
  /** Rows of the media index by usn: name, SHA-1, bytes, usn, mtime in seconds. */
  readonly media: readonly StoredMedia[];
  readonly mediaTotals: {
    readonly last_usn: number;
    readonly total_bytes: number;
    readonly total_nonempty_files: number;
  };
}

export type StoredMedia = readonly [name: string, sha1: string, byteLength: number, usn: number, mtimeSecs: number];

/** All recorded situations, by name. */
export function scenarioNames(): readonly string[] {
  return readdirSync(exchangesFolder)
    .filter((name) => existsSync(path.join(exchangesFolder, name, 'about.json')))
    .sort();
}

/** Reads one situation. */
export function readScenario(name: string): Scenario {
  const folder = path.join(exchangesFolder, name);
  const about = readJson(path.join(folder, 'about.json'));
  const account = String(about.account);
  const labels = readdirSync(folder).filter((file) => /^\d{3}-\w+\.json$/.test(file));
  return {
    name,
    title: String(about.title),
    account,
    user: account.slice(0, account.indexOf(':')),
    messages: labels.sort().map((file) => readMessage(folder, file.slice(0, -'.json'.length))),
    before: readAccount(path.join(folder, 'before')),
    after: readAccount(path.join(folder, 'after')),
  };
}

/** Writes the account's folder as it was. */
export function layOut(account: StoredAccount, folder: string): void {
  mkdirSync(path.join(folder, 'media'), { recursive: true });
  if (account.collection) writeFileSync(path.join(folder, 'collection.anki2'), account.collection);
  if (account.mediaDb) writeFileSync(path.join(folder, 'media.db'), account.mediaDb);
  for (const [name, sha1, byteLength] of account.media) {
    if (byteLength > 0) writeFileSync(path.join(folder, 'media', name), mediaContent(sha1));
  }
}

/** The bytes of a media file of the recordings. */
export function mediaContent(sha1: string): Uint8Array {
  return unpack(path.join(exchangesFolder, 'media-contents', `${sha1}.zst`));
}

function readMessage(folder: string, label: string): RecordedMessage {
  const recorded = readJson(path.join(folder, `${label}.json`));
  const request = asObject(recorded.request, 'request');
  return {
    label,
    method: String(recorded.message).replace(/.*\//, ''),
    atMs: Number(recorded.atMs),
    request: {
      verb: String(request.method),
      path: String(request.path),
      headers: asObject(request.headers, 'headers') as Readonly<Record<string, string>>,
      body: readBody(folder, label, request),
    },
    response: readResponse(folder, asObject(recorded.response, 'response')),
  };
}

function readBody(
  folder: string,
  label: string,
  request: Readonly<Record<string, Json>>,
): RecordedMessage['request']['body'] {
  if (request.encoding === 'query') return { kind: 'none' };
  if (request.encoding === 'multipart') {
    const plain = path.join(folder, `${label}.request.multipart`);
    return { kind: 'asIs', bytes: existsSync(plain) ? readFileSync(plain) : unpack(`${plain}.zst`) };
  }
  if (request.file !== undefined) return { kind: 'zstd', bytes: unpack(path.join(folder, String(request.file))) };
  return { kind: 'zstd', bytes: Buffer.from(JSON.stringify(request.json)) };
}

function readResponse(folder: string, response: Readonly<Record<string, Json>>): RecordedResponse {
  const status = Number(response.status);
  if (response.answeredBy !== undefined) return { status, kind: 'notFromServer' };
  if (response.file !== undefined) {
    const file = String(response.file);
    return { status, kind: file.endsWith('.zip.zst') ? 'zip' : 'collection', bytes: unpack(path.join(folder, file)) };
  }
  if (response.json !== undefined) return { status, kind: 'json', json: response.json };
  return { status, kind: 'text', text: String(response.text ?? '') };
}

function readAccount(folder: string): StoredAccount | undefined {
  if (!existsSync(folder)) return undefined;
  const [collection, mediaDb] = ['collection.anki2.zst', 'media.db.zst'].map((name) => {
    const file = path.join(folder, name);
    return existsSync(file) ? unpack(file) : undefined;
  });
  const mediaFile = path.join(folder, 'media.json');
  const media = existsSync(mediaFile) ? readJson(mediaFile) : { media: [] };
  return {
    collection,
    mediaDb,
    media: asList(media.media, 'media') as unknown as readonly StoredMedia[],
    mediaTotals: {
      last_usn: Number(media.last_usn ?? 0),
      total_bytes: Number(media.total_bytes ?? 0),
      total_nonempty_files: Number(media.total_nonempty_files ?? 0),
    },
  };
}

function readJson(file: string): Readonly<Record<string, Json>> {
  return asObject(parseLossless(readFileSync(file, 'utf8')), file);
}

function unpack(file: string): Uint8Array<ArrayBuffer> {
  return zstdDecompressSync(readFileSync(file));
}
