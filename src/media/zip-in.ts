import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import yauzl from 'yauzl';
import { messageOf, SyncError } from '../errors.ts';
import {
  mediaFileBytesMax,
  mediaMetaBytesMax,
  zipContentBytesMax,
  zipEntriesMax,
  zipInMemoryBytesMax,
} from '../limits.ts';
import { giveBack, giveBackAll } from '../storage/own-memory.ts';
import { codeOf } from './durable-files.ts';
import type { Sha1Hex } from './media-db.ts';
import type { ReceivedContent } from './media-store.ts';
import { readZipDirectory, type ZipDirectory, zipTailBytes } from './zip-end-record.ts';

const META = '_meta';
const STORED = 0;
const DEFLATED = 8;
const LOCAL_HEADER_BYTES = 30;
const ZIP64_EXTRA_FIELD = 0x0001;
/** Pieces in which large entries are read, bytes: each costs trips to other threads. */
const pieceBytes = 256 * 1024;

/** A zip in memory, which is freed when it is closed, or the path of one. */
type ZipFile = Buffer | string;

interface ZipEntry {
  readonly entry: yauzl.Entry;
  readonly name: string;
  /** The next entry, or the directory, starts here: the content must end before. */
  readonly spaceEnd: number;
}

/**
 * The zip of an `uploadChanges`, opened for reading. Its entries were made by a client and are believed nothing: one
 * directory, read in one way, no two entries in the same bytes, true sizes and checksums, bounded all over. Whatever is
 * wrong with it is a `malformedRequest`; too much of it is `payloadTooLarge`. A failing disk is neither.
 */
export class UploadZip implements AsyncDisposable {
  readonly #source: ZipFile;
  readonly #zip: yauzl.ZipFile;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  #contentBytesLeft = zipContentBytesMax;
  /** Of content that is handed out in memory. */
  #memoryBytesLeft = zipInMemoryBytesMax;

  private constructor(source: ZipFile, zip: yauzl.ZipFile, entries: ReadonlyMap<string, ZipEntry>) {
    this.#source = source;
    this.#zip = zip;
    this.#entries = entries;
  }

  /** Opens a zip and reads its directory: one in memory, or a file, which is read into memory if it is small. */
  static async open(given: ZipFile): Promise<UploadZip> {
    return refusing(async () => {
      const source = typeof given === 'string' ? ((await readIfSmall(given)) ?? given) : given;
      const directory = await readDirectory(source);
      if (directory.entryCount > zipEntriesMax) throw tooLarge(`it has ${directory.entryCount} entries`);
      // Names of entries never become paths, so any name will do; they are decoded below.
      const options = { autoClose: false, decodeStrings: false };
      const zip = await (typeof source === 'string'
        ? yauzl.openPromise(source, options)
        : yauzl.fromBufferPromise(source, options));
      zip.on('error', () => {}); // Failures reach the reader; one more while closing must not end the process.
      try {
        const entries: yauzl.Entry[] = [];
        for await (const entry of zip.eachEntry()) entries.push(entry);
        return new UploadZip(source, zip, checkEntries(entries, directory));
      } catch (error) {
        zip.close();
        throw error;
      }
    });
  }

  /**
   * The text of `_meta`. As on the official server it is cut at 50 KiB, which only leaves valid JSON if nothing but
   * blanks were cut off.
   */
  async meta(): Promise<Buffer> {
    return refusing(async () => {
      const { entry, start } = await this.#locate(META);
      const pieces: Buffer[] = [];
      let bytes = 0;
      let crc = 0;
      for await (const piece of openContent(this.#source, entry, start) as AsyncIterable<Buffer>) {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes > mediaMetaBytesMax) return Buffer.concat(pieces).subarray(0, mediaMetaBytesMax);
        crc = crc32(piece, crc);
      }
      if (crc !== entry.crc32) throw malformed(`${META} is damaged`);
      return Buffer.concat(pieces);
    });
  }

  /**
   * The content of an entry. Refused when it is empty, too long or damaged. Small ones come in memory, which
   * they share with the zip; others come in a file, for which a path is asked.
   */
  async extract(name: string, newPath: () => string): Promise<ReceivedContent> {
    return refusing(async () => {
      const { entry, start } = await this.#locate(name);
      const size = entry.uncompressedSize;
      if (size === 0) throw malformed(`entry ${name} is empty`);
      if (size > mediaFileBytesMax) throw malformed(`entry ${name} is larger than a media file may be`);
      this.#contentBytesLeft -= size;
      if (this.#contentBytesLeft < 0) throw tooLarge(`it holds more than ${zipContentBytesMax} bytes`);
      const bytes = this.#smallContent(entry, start);
      if (bytes !== undefined) return { sha1: hash('sha1', bytes) as Sha1Hex, size, bytes };
      const target = newPath();
      try {
        await using handle = await open(target, 'wx');
        const isOnDisk = typeof this.#source === 'string';
        const content = openContent(this.#source, entry, start);
        const written = await writeHashed(content, handle, { bytesMax: size, givesBack: isOnDisk });
        if (written.size !== size || written.crc !== entry.crc32) throw malformed(`entry ${name} is damaged`);
        return { sha1: written.sha1, size, path: target };
      } catch (error) {
        await rm(target, { force: true });
        throw error;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#zip.close();
    if (typeof this.#source !== 'string') giveBackAll(this.#source);
  }

  // The content of a small entry of a small zip, checked; undefined for all others.
  #smallContent(entry: yauzl.Entry, start: number): Buffer | undefined {
    const size = entry.uncompressedSize;
    if (typeof this.#source === 'string' || size > this.#memoryBytesLeft) return undefined;
    this.#memoryBytesLeft -= size;
    const packed = this.#source.subarray(start, start + entry.compressedSize);
    const content = entry.compressionMethod === STORED ? packed : inflated(packed, size);
    if (content?.length === size && crc32(content) === entry.crc32) return content;
    throw malformed('an entry is damaged');
  }

  // An entry that may be read, and where its content starts.
  async #locate(name: string): Promise<{ entry: yauzl.Entry; start: number }> {
    const found = this.#entries.get(name);
    if (found === undefined) throw malformed(`it has no entry ${name}`);
    const { entry, spaceEnd } = found;
    if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
      throw malformed(`entry ${name} is compressed by method ${entry.compressionMethod}`);
    }
    const { fileDataStart } = await this.#zip.readLocalFileHeaderPromise(entry, { minimal: true });
    if (fileDataStart + entry.compressedSize > spaceEnd) throw malformed(`entry ${name} overlaps another one`);
    return { entry, start: fileDataStart };
  }
}

// yauzl finds the content; the bytes come through Node's own streams, because those of yauzl 3.4 can still emit an error
// after they were destroyed, when nobody listens any more, and that ends the process.
function openContent(source: ZipFile, entry: yauzl.Entry, start: number): Readable {
  if (entry.compressedSize === 0) return Readable.from([]);
  const end = start + entry.compressedSize;
  const raw =
    typeof source === 'string'
      ? createReadStream(source, { start, end: end - 1, highWaterMark: pieceBytes })
      : Readable.from([source.subarray(start, end)]);
  if (entry.compressionMethod === STORED) return raw;
  // The reader of the last stream hears of all errors.
  return pipeline(raw, createInflateRaw({ chunkSize: pieceBytes }), () => {});
}

// Undefined for more than that, which is never made.
function inflated(packed: Uint8Array, bytesMax: number): Buffer | undefined {
  try {
    return inflateRawSync(packed, { maxOutputLength: bytesMax });
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw error;
  }
}

async function readIfSmall(file: string): Promise<Buffer | undefined> {
  const { size } = await stat(file);
  return size <= zipInMemoryBytesMax ? readFile(file) : undefined;
}

async function readDirectory(source: ZipFile): Promise<ZipDirectory> {
  const directory =
    typeof source === 'string'
      ? await readDirectoryOf(source)
      : readZipDirectory(source.subarray(-zipTailBytes), source.length);
  if (typeof directory === 'string') throw malformed(directory);
  return directory;
}

async function readDirectoryOf(file: string): Promise<ZipDirectory | string> {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const tail = Buffer.alloc(Math.min(size, zipTailBytes));
  await handle.read(tail, 0, tail.length, size - tail.length);
  return readZipDirectory(tail, size);
}

function checkEntries(entries: readonly yauzl.Entry[], directory: ZipDirectory): Map<string, ZipEntry> {
  const byName = new Map<string, ZipEntry>();
  const inOrder = [...entries].sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  for (const [index, entry] of inOrder.entries()) {
    const name = nameOf(entry);
    const spaceEnd = inOrder[index + 1]?.relativeOffsetOfLocalHeader ?? directory.start;
    const bytesMin = LOCAL_HEADER_BYTES + entry.fileNameLength + entry.compressedSize;
    if (entry.relativeOffsetOfLocalHeader + bytesMin > spaceEnd) throw malformed(`entry ${name} overlaps another one`);
    if (entry.isEncrypted()) throw malformed(`entry ${name} is encrypted`);
    if (entry.extraFields.some((field) => field.id === ZIP64_EXTRA_FIELD)) throw malformed('it is a zip64');
    if (byName.has(name)) throw malformed(`it has two entries ${name}`);
    byName.set(name, { entry, name, spaceEnd });
  }
  return byName;
}

function nameOf(entry: yauzl.Entry): string {
  return yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
}

/** `givesBack`: the pieces have memory of their own. */
async function writeHashed(
  stream: Readable,
  handle: FileHandle,
  { bytesMax, givesBack }: { readonly bytesMax: number; readonly givesBack: boolean },
) {
  const sha1 = createHash('sha1');
  let size = 0;
  let crc = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > bytesMax) break; // Before it is written: a small entry can expand to gigabytes.
    const writing = handle.appendFile(piece); // In another thread, while this one looks at the bytes.
    sha1.update(piece);
    crc = crc32(piece, crc);
    await writing;
    if (givesBack) giveBack(piece);
  }
  return { sha1: sha1.digest('hex') as Sha1Hex, size, crc };
}

async function refusing<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    // What the disk did has the name of a system call; everything else is about the bytes.
    const fromDisk = error instanceof Error && 'syscall' in error;
    if (error instanceof SyncError || fromDisk) throw error;
    throw malformed(codeOf(error) === '' ? messageOf(error) : `${codeOf(error)} ${messageOf(error)}`, error);
  }
}

function malformed(reason: string, cause?: unknown): SyncError {
  return new SyncError('malformedRequest', `Cannot read the media zip: ${reason}`, { cause });
}

function tooLarge(reason: string): SyncError {
  return new SyncError('payloadTooLarge', `Cannot read the media zip: ${reason}`);
}
