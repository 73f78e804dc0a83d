import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from './durable-files.ts';
import type { Sha1Hex } from './media-db.ts';
import { isFileName } from './media-name.ts';

// Where media files go that a client replaced or deleted:
//
//   <user>/media-trash/2026-11-23/143055-usn42/batch.json        what happened, a `TrashRecord`
//   <user>/media-trash/2026-11-23/143055-usn42/files/photo.jpg   the file, under its own name
//   <user>/media-batch.json                                      the record of a batch that is not finished yet
//
// Each upload that displaces anything has a folder of its own; whole folders can be removed at any time. A folder
// without `batch.json` belongs to the unfinished batch or was left by a crash; its files still are where they were.

/** One displaced file. */
export interface TrashedFile {
  readonly name: string;
  /** The usn that the change gave to the name; null when the name was forgotten because its file was not the right one. */
  readonly usn: number | null;
  /** What the index said about the displaced file; null when it was not in the index. */
  readonly old: { readonly sha1: Sha1Hex; readonly size: number; readonly mtimeSecs: number } | null;
  /** What took its place; null for nothing. */
  readonly newSha1: Sha1Hex | null;
}

/** What one batch displaced. Small, and written before anything is touched: it also is the way back after a crash. */
export interface TrashRecord {
  readonly version: 1;
  /** When, in ISO form, UTC. */
  readonly at: string;
  /** The batch's folder, relative to the trash. */
  readonly folder: string;
  readonly files: readonly TrashedFile[];
}

/** A record with the absolute path of its folder. */
export interface TrashBatch {
  readonly record: TrashRecord;
  readonly path: string;
}

/** `<user>/media-trash` */
export function trashRoot(userRoot: string): string {
  return path.join(userRoot, 'media-trash');
}

/** `<user>/media-batch.json` */
export function unfinishedBatchFile(userRoot: string): string {
  return path.join(userRoot, 'media-batch.json');
}

/** `<user>/media-arrivals`: see `Arrivals`. */
export function arrivalsFile(userRoot: string): string {
  return path.join(userRoot, 'media-arrivals');
}

/** The folder of a batch, relative to the trash; `usn` is the counter after the batch. */
export function batchFolder(at: Date, usn: number): string {
  const [day, time] = at.toISOString().split(/[T.]/) as [string, string];
  return path.join(day, `${time.replaceAll(':', '')}-usn${usn}`);
}

/** Where a displaced file lies. */
export function trashedFilePath(batchPath: string, name: string): string {
  return path.join(batchPath, 'files', name);
}

/**
 * All finished batches of a user, oldest first. One whose record is damaged counts with what its folder tells: its name is
 * its time, and the files are there.
 */
export async function listTrash(userRoot: string): Promise<TrashBatch[]> {
  const root = trashRoot(userRoot);
  const batches: TrashBatch[] = [];
  for (const day of await namesIn(root)) {
    for (const batch of await namesIn(path.join(root, day))) {
      const folder = path.join(root, day, batch);
      const record = await recordOrFolder(path.join(day, batch), folder);
      if (record !== undefined) batches.push({ record, path: folder });
    }
  }
  return batches.sort((a, b) => (a.record.at < b.record.at ? -1 : 1));
}

async function recordOrFolder(name: string, folder: string): Promise<TrashRecord | undefined> {
  try {
    return await readTrashRecord(path.join(folder, 'batch.json'));
  } catch (error) {
    if (codeOf(error) !== '') throw error; // The disk, not the record.
    const [, day, hour, minute, second] = /^(\d{4}-\d\d-\d\d)[/\\](\d\d)(\d\d)(\d\d)-/.exec(name) ?? [];
    const at = new Date(`${day}T${hour}:${minute}:${second}Z`);
    if (Number.isNaN(at.getTime())) return undefined;
    const files = await namesIn(path.join(folder, 'files'));
    const unknown = { usn: null, old: null, newSha1: null };
    return { version: 1, at: at.toISOString(), folder: name, files: files.map((file) => ({ name: file, ...unknown })) };
  }
}

/** A record, or undefined when there is none. Fails when the file is there and is none. */
export async function readTrashRecord(file: string): Promise<TrashRecord | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  const value: unknown = JSON.parse(text);
  if (!isTrashRecord(value)) throw new Error(`Not a record of displaced media files: ${file}`);
  return value;
}

function isTrashRecord(value: unknown): value is TrashRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<Record<keyof TrashRecord, unknown>>;
  return (
    record.version === 1 &&
    typeof record.at === 'string' &&
    typeof record.folder === 'string' &&
    record.folder.split(/[/\\]/).every((part) => isFileName(part)) &&
    Array.isArray(record.files) &&
    record.files.every((file: Partial<TrashedFile> | null) => typeof file?.name === 'string' && isFileName(file.name))
  );
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}
