import path from 'node:path';

/** Something that reached the disk, in the order in which it did. Paths are relative to the watched folder. */
export type TraceRecord =
  | { readonly kind: 'create' | 'mkdir'; readonly inode: number; readonly path: string }
  | {
      readonly kind: 'write';
      readonly inode: number;
      readonly path: string;
      readonly at: number;
      readonly data: Buffer;
    }
  | { readonly kind: 'truncate'; readonly inode: number; readonly path: string; readonly length: number }
  /** All that was done to the file, or in the folder, is durable. */
  | { readonly kind: 'sync'; readonly inode: number; readonly path: string }
  | { readonly kind: 'rename' | 'link'; readonly inode: number; readonly path: string; readonly newPath: string }
  | { readonly kind: 'unlink' | 'rmdir'; readonly inode: number; readonly path: string }
  /** The process began to write to a network connection. */
  | { readonly kind: 'send' };

const headerBytes = 7 * 8;
/** The numbers are those of faults.c. */
const KINDS: Readonly<Record<number, TraceRecord['kind']>> = {
  2: 'create',
  4: 'write',
  5: 'truncate',
  6: 'sync',
  7: 'rename',
  8: 'link',
  9: 'unlink',
  10: 'rmdir',
  11: 'mkdir',
  13: 'send',
};

/** Reads a trace as faults.c writes it. */
export function parseTrace(bytes: Buffer, folder: string): TraceRecord[] {
  const records: TraceRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const field = (index: number) => Number(bytes.readBigInt64LE(at + 8 * index));
    const [number, inode, offset, length] = [field(0), field(1), field(2), field(3)];
    const pathEnd = at + headerBytes + field(4);
    const otherEnd = pathEnd + field(5);
    const dataEnd = otherEnd + field(6);
    const file = path.relative(folder, bytes.toString('utf8', at + headerBytes, pathEnd));
    const other = path.relative(folder, bytes.toString('utf8', pathEnd, otherEnd));
    const data = bytes.subarray(otherEnd, dataEnd);
    records.push(recordOf({ number, inode, offset, length, file, other, data }));
    at = dataEnd;
  }
  return records;
}

interface RawRecord {
  readonly number: number;
  readonly inode: number;
  readonly offset: number;
  readonly length: number;
  readonly file: string;
  readonly other: string;
  readonly data: Buffer;
}

function recordOf({ number, inode, offset, length, file, other, data }: RawRecord): TraceRecord {
  const kind = KINDS[number];
  switch (kind) {
    case 'send':
      return { kind };
    case 'write':
      return { kind, inode, path: file, at: offset, data };
    case 'truncate':
      return { kind, inode, path: file, length };
    case 'rename':
    case 'link':
      return { kind, inode, path: file, newPath: other };
    case 'create':
    case 'mkdir':
    case 'sync':
    case 'unlink':
    case 'rmdir':
      return { kind, inode, path: file };
    default:
      throw new Error(`the trace has a record of kind ${number}`);
  }
}

/** A record in words, for messages. */
export function describeRecord(record: TraceRecord | undefined): string {
  if (record === undefined) return 'the end';
  switch (record.kind) {
    case 'send':
      return 'send an answer';
    case 'write':
      return `write ${record.data.length} bytes at ${record.at} of ${record.path}`;
    case 'truncate':
      return `truncate ${record.path} to ${record.length}`;
    case 'rename':
    case 'link':
      return `${record.kind} ${record.path} to ${record.newPath}`;
    default:
      return `${record.kind} ${record.path}`;
  }
}
