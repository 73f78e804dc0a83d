import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import type { LogFields } from '../../src/log.ts';
import type { Sha1Hex } from '../../src/media/media-db.ts';
import type { ReceivedContent } from '../../src/media/media-store.ts';
import type { UserFolder } from '../../src/user-folder.ts';
import { userFolder } from '../../src/user-folder.ts';

/** A user's folder of their own, gone afterwards. */
export class TemporaryUser implements Disposable {
  readonly folder: UserFolder;
  readonly #base = mkdtempSync(path.join(tmpdir(), 'media-'));

  constructor() {
    this.folder = userFolder(this.#base, 'ann');
    mkdirSync(this.folder.root);
  }

  /** A place in the user's base folder, beside the user. */
  beside(name: string): string {
    return path.join(this.#base, name);
  }

  /** Content in `incoming`, as an upload brings it. */
  received(bytes: string | Uint8Array): ReceivedContent {
    mkdirSync(this.folder.incoming, { recursive: true });
    const file = path.join(this.folder.incoming, `test-${readdirSync(this.folder.incoming).length}-${Math.random()}`);
    writeFileSync(file, bytes);
    return { path: file, sha1: sha1Of(bytes), size: Buffer.byteLength(bytes) };
  }

  /** The media files by name. */
  files(): Record<string, string> {
    return readFiles(this.folder.media);
  }

  [Symbol.dispose](): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}

/** Files of a folder by name, as latin-1 texts, in the order of their names. */
export function readFiles(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(folder, name), 'latin1')]));
}

export function sha1Of(bytes: string | Uint8Array): Sha1Hex {
  return createHash('sha1').update(bytes).digest('hex') as Sha1Hex;
}

/** A log that keeps what it is told. */
export function listeningLog() {
  const lines: { level: string; fields: LogFields; text: string }[] = [];
  const at = (level: string) => (fields: LogFields, text: string) => void lines.push({ level, fields, text });
  return { lines, log: { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') } };
}

/** An entry of a zip, and the lies it may tell. */
export interface TestEntry {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly method?: 'stored' | 'deflated' | number;
  readonly flags?: number;
  readonly crc?: number;
  /** Declared sizes, when they are not the true ones. */
  readonly size?: number;
  readonly compressedSize?: number;
  /** Sizes and checksum follow the content, as writers do that cannot go back. */
  readonly withDescriptor?: boolean;
  /** Starts where this earlier entry starts, and has no bytes of its own. */
  readonly sharesHeaderOf?: string;
  /** Extra field of the directory. */
  readonly extra?: Uint8Array;
}

/** What is odd about a whole zip. */
export interface TestZipOptions {
  readonly comment?: string;
  readonly before?: string;
  readonly after?: string;
  readonly entryCount?: number;
}

/** A zip, byte by byte, so that it can be wrong in any way. */
export function makeZip(entries: readonly TestEntry[], options: TestZipOptions = {}): Buffer<ArrayBuffer> {
  const parts: Buffer[] = [Buffer.from(options.before ?? '')];
  const directory: Buffer[] = [];
  const starts = new Map<string, number>();
  let at = parts[0]?.length ?? 0;
  for (const entry of entries) {
    const start = starts.get(entry.sharesHeaderOf ?? '') ?? at;
    const { header, body, descriptor, record } = zipEntry(entry, start);
    directory.push(record);
    starts.set(entry.name, start);
    if (entry.sharesHeaderOf !== undefined) continue;
    parts.push(header, body, descriptor);
    at += header.length + body.length + descriptor.length;
  }
  const comment = Buffer.from(options.comment ?? '');
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(options.entryCount ?? entries.length, 8);
  end.writeUInt16LE(options.entryCount ?? entries.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, ...directory, end, comment, Buffer.from(options.after ?? '')]);
}

/** The zip of an upload: content or null for each name, `_meta` last. */
export function uploadZip(
  changes: readonly (readonly [name: string, content: string | Uint8Array | null])[],
  options: { readonly deletion?: null | ''; readonly method?: 'stored' | 'deflated' } = {},
): Buffer<ArrayBuffer> {
  const { deletion = null, method = 'stored' } = options;
  const meta = changes.map(([name, content], index) => [name, content === null ? deletion : String(index)]);
  const entries = changes.flatMap(([, content], index) =>
    content === null ? [] : [{ name: String(index), content, method }],
  );
  return makeZip([...entries, { name: '_meta', content: JSON.stringify(meta) }]);
}

function zipEntry(entry: TestEntry, start: number) {
  const content = Buffer.from(entry.content);
  const method = entry.method === 'deflated' ? 8 : entry.method === 'stored' ? 0 : (entry.method ?? 0);
  const body = method === 8 ? deflateRawSync(content) : content;
  const name = Buffer.from(entry.name);
  const extra = Buffer.from(entry.extra ?? '');
  const flags = (entry.flags ?? 0) | (entry.withDescriptor ? 8 : 0) | 0x800;
  const sums = Buffer.alloc(12);
  sums.writeUInt32LE(entry.crc ?? crc32(content), 0);
  sums.writeUInt32LE(entry.compressedSize ?? body.length, 4);
  sums.writeUInt32LE(entry.size ?? content.length, 8);

  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(method, 8);
  if (!entry.withDescriptor) sums.copy(header, 14);
  header.writeUInt16LE(name.length, 26);

  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(flags, 8);
  record.writeUInt16LE(method, 10);
  sums.copy(record, 16);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(extra.length, 30);
  record.writeUInt32LE(start, 42);
  return {
    header: Buffer.concat([header, name]),
    body,
    descriptor: entry.withDescriptor ? Buffer.concat([Buffer.from('PK\x07\x08', 'latin1'), sums]) : Buffer.alloc(0),
    record: Buffer.concat([record, name, extra]),
  };
}
