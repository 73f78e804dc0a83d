import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import yauzl from 'yauzl';
import yazl from 'yazl';
import type { CollectionFacts } from '../collection/stored-file.ts';
import { createZstdInflater } from '../storage/zstd.ts';

// A package of a whole collection, as Anki 2.1.50 and later export and import it: a zip.
//
// | entry             | content |
// |-------------------|---------|
// | meta              | protobuf PackageMetadata: field 1, version, is 3 |
// | collection.anki21b| zstd of the collection, schema 18 |
// | collection.anki2  | schema 11, for programs that know neither: one note that asks for an update |
// | media             | zstd of a protobuf MediaEntries without entries: no media come with it |
//
// The comment of the zip, which Anki ignores, holds the facts, so that a list of backups need not unpack any.

const META = Buffer.from([0x08, 0x03]);
const NO_MEDIA = zstdCompressSync(Buffer.alloc(0));
const COLLECTION = 'collection.anki21b';
const UPDATE_NOTICE = 'collection.anki2';
const STORED = { compress: false, mode: 0o100644 } as const;
const commentVersion = 1;

export interface Package {
  /** A whole collection file of schema 18, which nobody changes meanwhile. */
  readonly collection: string;
  /** What programs see that cannot read the current format. */
  readonly updateNotice: Buffer;
  readonly facts: CollectionFacts;
  readonly at: Date;
}

/** Writes a package to a new file, in constant memory; not durable yet. On failure there is no file. */
export async function writePackage(content: Package, target: string): Promise<void> {
  try {
    await pipeline(packageStream(content), createWriteStream(target, { flags: 'wx' }));
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
}

function packageStream({ collection, updateNotice, facts, at }: Package): Readable {
  const zip = new yazl.ZipFile();
  const stream = new PassThrough();
  zip.on('error', (error: Error) => stream.destroy(error));
  zip.outputStream.on('error', (error: Error) => stream.destroy(error));
  zip.outputStream.pipe(stream);
  const options = { ...STORED, mtime: at };
  zip.addBuffer(META, 'meta', options);
  zip.addReadStreamLazy(COLLECTION, options, (give) => {
    const source = createReadStream(collection, { highWaterMark: 256 * 1024 });
    const compressed = createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } });
    source.on('error', (error) => stream.destroy(error)); // yazl does not watch it.
    compressed.on('error', (error) => stream.destroy(error));
    stream.on('close', () => source.destroy());
    give(null, source.pipe(compressed));
  });
  zip.addBuffer(updateNotice, UPDATE_NOTICE, { ...options, compress: true });
  zip.addBuffer(NO_MEDIA, 'media', options);
  zip.end({ forceZip64Format: false, comment: JSON.stringify({ version: commentVersion, ...facts }) });
  return stream;
}

/** The facts of a package; throws when it is none of ours or damaged where they stand. Reads only its end. */
export async function readPackageFacts(file: string): Promise<CollectionFacts> {
  const zip = await yauzl.openPromise(file, { autoClose: false });
  try {
    const facts: unknown = JSON.parse(zip.comment);
    if (!isFacts(facts)) throw new Error('its comment holds no facts');
    return facts;
  } finally {
    zip.close();
  }
}

/** Unpacks the collection of a package into a new file; throws when the package is damaged. On failure there is no file. */
export async function unpackCollection(file: string, target: string): Promise<void> {
  const zip = await yauzl.openPromise(file, { autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName !== COLLECTION) continue;
      // The checksum of zstd stands at the end of the frame; a stream that ends early is an error.
      await pipeline(
        await zip.openReadStreamPromise(entry),
        createZstdInflater(),
        createWriteStream(target, { flags: 'wx' }),
      );
      return;
    }
    throw new Error(`it has no ${COLLECTION}`);
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  } finally {
    zip.close();
  }
}

function isFacts(value: unknown): value is CollectionFacts {
  if (typeof value !== 'object' || value === null) return false;
  const facts = value as Partial<Record<keyof CollectionFacts, unknown>>;
  const { notes, cards, reviews, lastReviewMs, modifiedMs } = facts;
  return (
    [notes, cards, reviews, modifiedMs].every((number) => typeof number === 'number') &&
    (lastReviewMs === null || typeof lastReviewMs === 'number')
  );
}
