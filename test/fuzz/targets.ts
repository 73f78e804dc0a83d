import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeBlob } from '../../src/collection/format/blobs.ts';
import { deckFromJson, deckToJson } from '../../src/collection/format/deck.ts';
import { deckConfigFromJson, deckConfigToJson } from '../../src/collection/format/deck-config.ts';
import { FormatError } from '../../src/collection/format/format-error.ts';
import { parseJsonBytes, stringifyJson } from '../../src/collection/format/json.ts';
import { notetypeFromJson, notetypeToJson } from '../../src/collection/format/notetype.ts';
import {
  DeckCommonSchema,
  DeckConfigConfigSchema,
  DeckKindSchema,
  FieldConfigSchema,
  NotetypeConfigSchema,
  TemplateConfigSchema,
} from '../../src/collection/format/proto/collection_pb.ts';
import { COLLECTIONS } from '../../src/collection/test-files.ts';
import { replaceMediaReferences } from '../../src/collection/text/media-references.ts';
import {
  cleanField,
  normalizeDeckName,
  normalizeNativeDeckName,
  normalizeTagName,
  splitNoteTags,
} from '../../src/collection/text/names.ts';
import { deriveNoteColumns } from '../../src/collection/text/strip-html.ts';
import { compareUnicase, foldName } from '../../src/collection/text/unicase.ts';
import { SyncError } from '../../src/errors.ts';
import { isFileName, parseMediaName } from '../../src/media/media-name.ts';
import { readZipDirectory } from '../../src/media/zip-end-record.ts';
import { UploadZip } from '../../src/media/zip-in.ts';
import { readCardRow, readNoteRow, readRevlogRow } from '../../src/protocol/chunk-rows.ts';
import { readUploadMeta } from '../../src/protocol/media/upload-changes.ts';
import { openPayload } from '../../src/protocol/payload.ts';
import { intendedTarget } from '../../src/transport/address.ts';
import { toldAddress } from '../../src/transport/client-address.ts';
import { parseSyncHeader } from '../../src/transport/sync-header.ts';
import { withoutCollation } from '../exchanges/collection-content.ts';
import { mediaZip } from '../safety/sync-device.ts';
import { recordedFiles, recordedRequests } from './recorded.ts';

/** A parser under fire: bytes from outside go in, and nothing but a result or a refusal may come out. */
export interface Target {
  /** Also the name of its folder in the corpus. */
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** How many inputs it gets for each of the others': cheap ones more. */
  readonly share: number;
  run(input: Buffer): unknown;
}

/** Is that how input is refused? Everything else that is thrown is a defect. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SyncError || error instanceof FormatError || error instanceof SyntaxError;
}

const requests = recordedRequests();
const jsonSeeds = requests
  .filter(({ json }) => json !== undefined)
  .map(({ json }) => Buffer.from(JSON.stringify(json)));
const inflatedBytesMax = 1024 * 1024;

const textSeeds = [
  '<b>bold</b> &amp; <img src="a.jpg">',
  '[sound:x.mp3] ä日本',
  'a::b::c',
  ' tag1 tag2 ',
  '\x1f\x1f',
  'ß∆ﬃ',
];
const asText = (input: Buffer) => input.toString('utf8');

/** Rows of one kind that clients sent. */
function rows(kind: 'notes' | 'cards' | 'revlog'): Buffer[] {
  return requests
    .filter(({ target }) => target === 'sync/applyChunk')
    .flatMap(({ json }) => ((json as { chunk?: Record<string, unknown[]> }).chunk?.[kind] ?? []).slice(0, 3))
    .map((row) => Buffer.from(JSON.stringify(row)));
}

/** Small objects of one kind that clients sent. */
function objects(of: (changes: { models: unknown[]; decks: [unknown[], unknown[]] }) => unknown[]): Buffer[] {
  return requests
    .filter(({ target }) => target === 'sync/applyChanges')
    .flatMap(({ json }) => of((json as { changes: { models: unknown[]; decks: [unknown[], unknown[]] } }).changes))
    .slice(0, 12)
    .map((object) => Buffer.from(JSON.stringify(object)));
}

/** Blobs of a real collection. */
function blobs(table: string, column: string): Uint8Array[] {
  const bytes = readFileSync(path.join(COLLECTIONS, 'rich.anki2'));
  bytes.set([1, 1], 18); // A database in memory has no WAL.
  using db = new DatabaseSync(':memory:', { defensive: false });
  db.deserialize(bytes);
  withoutCollation(db);
  const texts = db.prepare(`SELECT hex(${column}) AS hex FROM ${table} NOT INDEXED LIMIT 8`).all();
  return texts.map((row) => Buffer.from(String(row['hex']), 'hex'));
}

const zips = [
  ...recordedFiles('uploadChanges.request.zip.zst')
    .slice(0, 6)
    .map((bytes) => zstdDecompressSync(bytes)),
  mediaZip([['a.jpg', 'content']]),
  mediaZip([
    ['ä.png', 'one'],
    ['b.mp3', null],
    ['c', 'x'.repeat(2000)],
  ]),
];

/** A file of its own for parsers that want one. */
async function withFile(input: Buffer, use: (file: string, folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fuzz-'));
  try {
    const file = path.join(folder, 'input');
    writeFileSync(file, input);
    await use(file, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const TARGETS: readonly Target[] = [
  {
    name: 'sync-header',
    share: 4,
    seeds: requests.flatMap(({ header }) => (header === undefined ? [] : [Buffer.from(header)])).slice(0, 20),
    run: (input) => parseSyncHeader(input.toString('latin1')),
  },
  { name: 'json', share: 4, seeds: jsonSeeds, run: (input) => stringifyJson(parseJsonBytes(input)) },
  {
    name: 'zstd',
    share: 1,
    seeds: jsonSeeds.slice(0, 12).map((bytes) => zstdCompressSync(bytes)),
    run: (input) => openPayload({ kind: 'bytes', bytes: Buffer.from(input), coding: 'zstd' }, inflatedBytesMax),
  },
  {
    name: 'gzip',
    share: 1,
    seeds: jsonSeeds.slice(0, 12).map((bytes) => gzipSync(bytes)),
    run: (input) => openPayload({ kind: 'bytes', bytes: Buffer.from(input), coding: 'gzip' }, inflatedBytesMax),
  },
  { name: 'note-row', share: 3, seeds: rows('notes'), run: (input) => readNoteRow(parseJsonBytes(input)) },
  { name: 'card-row', share: 3, seeds: rows('cards'), run: (input) => readCardRow(parseJsonBytes(input)) },
  { name: 'revlog-row', share: 3, seeds: rows('revlog'), run: (input) => readRevlogRow(parseJsonBytes(input)) },
  {
    name: 'notetype',
    share: 1,
    seeds: objects(({ models }) => models),
    run: (input) => notetypeToJson(notetypeFromJson(parseJsonBytes(input))),
  },
  {
    name: 'deck',
    share: 2,
    seeds: objects(({ decks }) => decks[0]),
    run: (input) => deckToJson(deckFromJson(parseJsonBytes(input))),
  },
  {
    name: 'deck-config',
    share: 2,
    seeds: objects(({ decks }) => decks[1]),
    run: (input) => deckConfigToJson(deckConfigFromJson(parseJsonBytes(input))),
  },
  {
    name: 'protobuf',
    share: 3,
    seeds: [
      ...blobs('notetypes', 'config'),
      ...blobs('fields', 'config'),
      ...blobs('templates', 'config'),
      ...blobs('decks', 'common'),
      ...blobs('decks', 'kind'),
      ...blobs('deck_config', 'config'),
    ],
    run: (input) => {
      const schemas = [
        NotetypeConfigSchema,
        FieldConfigSchema,
        TemplateConfigSchema,
        DeckCommonSchema,
        DeckKindSchema,
        DeckConfigConfigSchema,
      ];
      const schema = schemas[(input[0] ?? 0) % schemas.length] ?? NotetypeConfigSchema;
      return decodeBlob<never>(schema as never, input, 'blob');
    },
  },
  {
    name: 'texts',
    share: 3,
    seeds: textSeeds.map((text) => Buffer.from(text)),
    run: (input) => {
      const text = asText(input);
      deriveNoteColumns([text, text], 1);
      replaceMediaReferences(text);
      cleanField(text);
      foldName(text);
      if (compareUnicase(text, text) !== 0) throw new Error('a name differs from itself');
      for (const normalize of [normalizeTagName, normalizeDeckName, normalizeNativeDeckName]) normalize(text);
      splitNoteTags(text);
    },
  },
  {
    name: 'media-name',
    share: 4,
    seeds: ['a.jpg', '../x', 'ä.png', 'a/b', 'CON', '.', 'x'.repeat(255)].map((text) => Buffer.from(text)),
    run: (input) => {
      const parsed = parseMediaName(asText(input));
      if (parsed.kind === 'refused') return;
      const folder = path.resolve('media');
      if (path.dirname(path.join(folder, parsed.name)) !== folder) throw new Error('a name leads out of the folder');
      if (!isFileName(parsed.name)) throw new Error('a name that was taken is none');
    },
  },
  {
    name: 'upload-meta',
    share: 3,
    seeds: ['[["a.jpg","0"],["b",null]]', '[["ä","1"],["c",""]]', '[]'].map((text) => Buffer.from(text)),
    run: (input) => readUploadMeta(input),
  },
  {
    name: 'zip-end',
    share: 4,
    seeds: zips,
    run: (input) => readZipDirectory(input, input.length),
  },
  {
    name: 'zip',
    share: 0.15,
    seeds: zips,
    run: (input) =>
      withFile(input, async (file, folder) => {
        await using zip = await UploadZip.open(file);
        for (const { entryName } of readUploadMeta(await zip.meta())) {
          if (entryName !== undefined) await zip.extract(entryName, () => path.join(folder, `out${Math.random()}`));
        }
      }),
  },
  {
    name: 'address',
    share: 4,
    seeds: ['/sync/meta', '//sync/sync/hostKey?x=1', '/msync/begin?k=1', 'http://x/sync/', '/%2e%2e/sync'].map((text) =>
      Buffer.from(text),
    ),
    run: (input) => {
      const target = input.toString('latin1');
      intendedTarget({ method: 'POST', target, hasSyncHeader: true, contentType: 'multipart/form-data' });
      for (const source of ['RightmostXForwardedFor', 'XRealIp', 'CloudFrontViewerAddress'] as const) {
        toldAddress([target], source);
      }
    },
  },
];
