import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import yazl from 'yazl';
import { storedZip } from './stored-zip.ts';

/** A file for a zip: bytes in memory, or a file and its length. */
export type ZipSource =
  | { readonly kind: 'bytes'; readonly name: string; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly name: string; readonly path: string; readonly byteLength: number };

// Media are compressed already, and the transport compresses once more for clients that want it. The fixed time makes
// equal requests have equal answers.
const asStored = { compress: false, mtime: new Date(1980, 0, 1), forceDosTimestamp: true, mode: 0o100644 } as const;

/** The zip of a `downloadFiles` in memory: entries "0", "1", … in the order given, `_meta` tells their names. */
export async function zipToBytes(sources: readonly ZipSource[]): Promise<Buffer<ArrayBuffer>> {
  const contents = sources.flatMap((source) => (source.kind === 'bytes' ? [source.bytes] : []));
  if (contents.length === sources.length) {
    const entries = contents.map((bytes, index) => [String(index), bytes] as const);
    return storedZip([...entries, ['_meta', namesOf(sources)]]);
  }
  const { stream, byteLength } = await startZip(sources);
  const bytes = await buffer(stream);
  return checkLength(bytes, bytes.length, byteLength);
}

/** The same in a new file, in constant memory; returns its length in bytes. On failure there is no file. */
export async function zipToFile(sources: readonly ZipSource[], target: string): Promise<number> {
  try {
    const { stream, byteLength } = await startZip(sources);
    const out = createWriteStream(target, { flags: 'wx' });
    await pipeline(stream, out);
    return checkLength(out.bytesWritten, out.bytesWritten, byteLength);
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
}

async function startZip(sources: readonly ZipSource[]): Promise<{ stream: Readable; byteLength: number }> {
  const zip = new yazl.ZipFile();
  const stream = new PassThrough();
  const { outputStream } = zip;
  zip.on('error', (error: Error) => stream.destroy(error));
  outputStream.on('error', (error: Error) => stream.destroy(error));
  outputStream.pipe(stream);
  for (const [index, source] of sources.entries()) addSource(zip, source, String(index), stream);
  zip.addBuffer(namesOf(sources), '_meta', asStored);
  // Nothing is compressed and all lengths are given, so the length of the whole is known at once.
  const byteLength = await new Promise<number>((resolve) => {
    zip.end({ forceZip64Format: false, comment: '' }, resolve as () => void);
  });
  return { stream, byteLength };
}

function namesOf(sources: readonly ZipSource[]): Buffer {
  const names = Object.fromEntries(sources.map((source, index) => [String(index), source.name]));
  return Buffer.from(JSON.stringify(names));
}

function addSource(zip: yazl.ZipFile, source: ZipSource, entryName: string, stream: Readable): void {
  if (source.kind === 'bytes') {
    zip.addBuffer(source.bytes, entryName, asStored);
    return;
  }
  zip.addReadStreamLazy(entryName, { ...asStored, size: source.byteLength }, (give) => {
    const content = createReadStream(source.path, { highWaterMark: 256 * 1024 });
    content.on('error', (error) => stream.destroy(error)); // yazl does not watch it.
    stream.on('close', () => content.destroy());
    give(null, content);
  });
}

function checkLength<T>(result: T, actual: number, expected: number): T {
  if (actual !== expected) throw new Error(`Cannot write a media zip: ${actual} bytes in place of ${expected}`);
  return result;
}
