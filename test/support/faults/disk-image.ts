import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TraceRecord } from './trace.ts';

/** What a file or folder is, apart from its names. */
type Node = { readonly kind: 'folder' } | { readonly kind: 'file'; content: Buffer };

/** What is left of a change when the power fails before it was made durable: all, nothing, or of a write the first part. */
export type Remainder = 'all' | 'nothing' | 'first half';

/** Decides for a change that was not durable yet; `index` is its place in the trace. */
export type Survival = (record: TraceRecord, index: number) => Remainder;

/** A killed process: the machine goes on, so nothing is lost. */
export const everything: Survival = () => 'all';
/** The worst that POSIX allows without reordering: only what was synced, files and names apart. */
export const onlyDurable: Survival = () => 'nothing';
/** Names reach the disk before the bytes behind them. */
export const namesBeforeBytes: Survival = ({ kind }) => (kind === 'write' || kind === 'truncate' ? 'nothing' : 'all');
/** Bytes reach the disk before the names that lead to them. */
export const bytesBeforeNames: Survival = ({ kind }) => (kind === 'write' || kind === 'truncate' ? 'all' : 'nothing');

/** Some changes survive, some do not, some writes by half; the same ones for the same seed. */
export function torn(seed: number): Survival {
  return (_record, index) => {
    const dice = createHash('md5').update(`${seed} ${index}`).digest()[0] ?? 0;
    return dice < 110 ? 'all' : dice < 200 ? 'nothing' : 'first half';
  };
}

/** The smallest part of a file that a disk writes as a whole, bytes. */
const sectorBytes = 512;

/** The content of a folder, by path relative to it; a folder's is null. */
export type FolderContent = ReadonlyMap<string, Buffer | null>;

/** A folder as it was when a trace began: with the inodes that the trace speaks of. */
export class DiskImage {
  readonly #names = new Map<string, Node>();
  readonly #inodes = new Map<number, Node>();

  /** Reads the folder as it is now. */
  static of(folder: string): DiskImage {
    const image = new DiskImage();
    image.#read(folder, '');
    return image;
  }

  #read(folder: string, name: string): void {
    const file = path.join(folder, name);
    const stats = lstatSync(file);
    const node: Node = stats.isDirectory() ? { kind: 'folder' } : { kind: 'file', content: readFileSync(file) };
    this.#names.set(name, node);
    this.#inodes.set(stats.ino, node);
    if (node.kind === 'folder') for (const child of readdirSync(file)) this.#read(folder, path.join(name, child));
  }

  /** What the disk holds when the power fails after the first `cut` records of the trace. */
  after(trace: readonly TraceRecord[], cut: number, survival: Survival): FolderContent {
    const names = new Map(this.#names);
    const inodes = new Map(this.#inodes);
    for (const [inode, node] of inodes) if (node.kind === 'file') inodes.set(inode, copyOf(node));
    for (const [name, node] of this.#names) {
      // The same node under all of its names.
      const inode = [...this.#inodes].find(([, one]) => one === node)?.[0];
      names.set(name, (inode === undefined ? undefined : inodes.get(inode)) ?? node);
    }
    const durable = durableRecords(trace, cut);
    for (let index = 0; index < cut; index++) {
      const record = trace[index];
      if (record === undefined) break;
      apply(names, inodes, record, durable.has(index) ? 'all' : survival(record, index));
    }
    return reachable(names);
  }
}

/** Writes a content into a folder that is not there yet. */
export function layDown(content: FolderContent, folder: string): void {
  for (const [name, bytes] of [...content].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const file = path.join(folder, name);
    if (bytes === null) mkdirSync(file, { recursive: true });
    else writeFileSync(file, bytes);
  }
}

/** A text that is equal for equal contents. */
export function digestOf(content: FolderContent): string {
  const hash = createHash('sha1');
  for (const [name, bytes] of [...content].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name}\0${bytes === null ? 'folder' : bytes.length}\0`);
    if (bytes !== null) hash.update(bytes);
  }
  return hash.digest('hex');
}

/** Changes of bytes count once their file was synced, changes of names once their folder was. */
function durableRecords(trace: readonly TraceRecord[], cut: number): Set<number> {
  const durable = new Set<number>();
  const lastSync = new Map<number | string, number>();
  for (let index = cut - 1; index >= 0; index--) {
    const record = trace[index];
    if (record === undefined || record.kind === 'send') continue;
    if (record.kind === 'sync') {
      lastSync.set(record.inode, index);
      lastSync.set(record.path, index);
      continue;
    }
    const isOfBytes = record.kind === 'write' || record.kind === 'truncate';
    const name = record.kind === 'rename' || record.kind === 'link' ? record.newPath : record.path;
    if (lastSync.has(isOfBytes ? record.inode : folderOf(name))) durable.add(index);
  }
  return durable;
}

function apply(names: Map<string, Node>, inodes: Map<number, Node>, record: TraceRecord, remainder: Remainder): void {
  switch (record.kind) {
    case 'send':
    case 'sync':
      return;
    case 'create':
    case 'mkdir': {
      const node: Node = record.kind === 'mkdir' ? { kind: 'folder' } : { kind: 'file', content: Buffer.alloc(0) };
      inodes.set(record.inode, node);
      if (remainder === 'all') names.set(record.path, node);
      return;
    }
    case 'write':
    case 'truncate': {
      const node = inodes.get(record.inode);
      if (node?.kind !== 'file') throw new Error(`the trace writes to an unknown file: ${record.path}`);
      if (record.kind === 'write') node.content = written(node.content, record.at, partOf(record.data, remainder));
      else if (remainder === 'all') node.content = resized(node.content, record.length);
      return;
    }
    case 'rename':
    case 'link': {
      const node = inodes.get(record.inode);
      if (node === undefined) throw new Error(`the trace renames an unknown file: ${record.path}`);
      if (node.kind === 'folder')
        throw new Error(`a folder was renamed, which replaying does not know: ${record.path}`);
      if (remainder !== 'all') return;
      if (record.kind === 'rename') names.delete(record.path);
      names.set(record.newPath, node);
      return;
    }
    case 'unlink':
    case 'rmdir':
      if (remainder === 'all') names.delete(record.path);
      return;
    default:
      record satisfies never;
  }
}

function partOf(data: Buffer, remainder: Remainder): Buffer {
  if (remainder === 'all') return data;
  if (remainder === 'nothing') return data.subarray(0, 0);
  return data.subarray(0, Math.floor(data.length / 2 / sectorBytes) * sectorBytes);
}

function written(content: Buffer, at: number, data: Buffer): Buffer {
  if (data.length === 0) return content;
  const target = at + data.length > content.length ? resized(content, at + data.length) : Buffer.from(content);
  data.copy(target, at);
  return target;
}

function resized(content: Buffer, length: number): Buffer {
  const target = Buffer.alloc(length);
  content.copy(target);
  return target;
}

/** Contents are replaced and never changed in place, so copies may share them. */
function copyOf(node: Node & { kind: 'file' }): Node {
  return { kind: 'file', content: node.content };
}

/** What can be reached from the folder itself: with a folder's name everything in it is lost. */
function reachable(names: ReadonlyMap<string, Node>): FolderContent {
  const content = new Map<string, Buffer | null>();
  for (const [name, node] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (name !== '' && !content.has(folderOf(name))) continue;
    content.set(name, node.kind === 'folder' ? null : node.content);
  }
  return content;
}

function folderOf(name: string): string {
  const parent = path.dirname(name);
  return parent === '.' ? '' : parent;
}
