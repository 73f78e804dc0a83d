import { hash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { Turn } from '../storage/turn.ts';
import { readFileInto, readPieces } from './file-content.ts';
import type { Sha1Hex } from './media-db.ts';
import { StoredZip } from './stored-zip.ts';

/** A file for a zip, and what it has to hold. */
export interface ZipSource {
  readonly name: string;
  /** Undefined for a name that cannot be that of a file. */
  readonly path: string | undefined;
  readonly size: number;
  readonly sha1: Sha1Hex;
}

/** Files that do not hold what they have to; there is no zip then. */
export interface BadSources {
  readonly kind: 'bad';
  readonly sources: readonly ZipSource[];
}

/** Where a zip is put together. */
interface Workplace {
  put(bytes: Uint8Array, at: number): void | Promise<void>;
  /** Puts a file there and looks at it on the way. The checksum of its content, or undefined when it is not the right one. */
  copy(source: ZipSource, at: number): number | undefined | Promise<number | undefined>;
}

/**
 * The zip of a `downloadFiles` in memory: entries "0", "1", … in the order given, `_meta` tells their names. Each file is
 * compared with its SHA-1 in the place from which it is sent: what was checked is what leaves. Nothing is compressed, as
 * most media are already; the transport compresses what shrinks.
 */
export async function zipToBytes(
  sources: readonly ZipSource[],
): Promise<{ readonly kind: 'zip'; readonly bytes: Buffer<ArrayBuffer> } | BadSources> {
  const { zip, meta } = formOf(sources);
  const bytes = Buffer.allocUnsafeSlow(zip.byteLength);
  const bad = await fill(
    zip,
    { sources, meta },
    {
      put: (part, at) => bytes.set(part, at),
      copy({ path, size, sha1 }, at) {
        const content = bytes.subarray(at, at + size);
        const isRight = path !== undefined && readFileInto(path, content) && hash('sha1', content) === sha1;
        return isRight ? crc32(content) : undefined;
      },
    },
  );
  return bad.length === 0 ? { kind: 'zip', bytes } : { kind: 'bad', sources: bad };
}

/** The same in a new file, in constant memory. On failure, and when a file is bad, there is none. */
export async function zipToFile(
  sources: readonly ZipSource[],
  target: string,
): Promise<{ readonly kind: 'zip'; readonly byteLength: number } | BadSources> {
  const { zip, meta } = formOf(sources);
  let isWhole = false;
  try {
    await using out = await open(target, 'wx');
    const put = async (part: Uint8Array, at: number) => void (await out.write(part, 0, part.byteLength, at));
    const bad = await fill(
      zip,
      { sources, meta },
      {
        put,
        async copy({ path, size, sha1 }, at) {
          let crc = 0;
          const content =
            path &&
            (await readPieces(path, size, async (piece, offset) => {
              crc = crc32(piece, crc);
              await put(piece, at + offset);
            }));
          return content && content.sha1 === sha1 && content.size === size ? crc : undefined;
        },
      },
    );
    if (bad.length > 0) return { kind: 'bad', sources: bad };
    isWhole = true;
    return { kind: 'zip', byteLength: zip.byteLength };
  } finally {
    if (!isWhole) await rm(target, { force: true });
  }
}

function formOf(sources: readonly ZipSource[]): { zip: StoredZip; meta: Buffer } {
  const names = Object.fromEntries(sources.map(({ name }, index) => [String(index), name]));
  const meta = Buffer.from(JSON.stringify(names));
  const entries = sources.map(({ size }, index) => ({ name: String(index), byteLength: size }));
  return { zip: new StoredZip([...entries, { name: '_meta', byteLength: meta.byteLength }]), meta };
}

async function fill(
  zip: StoredZip,
  { sources, meta }: { readonly sources: readonly ZipSource[]; readonly meta: Uint8Array },
  workplace: Workplace,
): Promise<ZipSource[]> {
  const bad: ZipSource[] = [];
  const sums: number[] = [];
  const turn = new Turn();
  for (const [index, source] of sources.entries()) {
    const sum = await workplace.copy(source, zip.contentAt(index));
    if (sum === undefined) bad.push(source);
    sums.push(sum ?? 0);
    if (turn.isOver) await turn.next();
  }
  if (bad.length > 0) return bad;
  await workplace.put(meta, zip.contentAt(sources.length));
  sums.push(crc32(meta));
  for (const [index, sum] of sums.entries()) {
    const head = zip.head(index, sum);
    await workplace.put(head.bytes, head.at);
  }
  const directory = zip.directory(sums);
  await workplace.put(directory.bytes, directory.at);
  return [];
}
