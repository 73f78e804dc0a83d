import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder, writeSynced } from '../media/durable-files.ts';
import { contentOf } from '../media/file-content.ts';
import { isFileName } from '../media/media-name.ts';
import { batchFolder, type TrashedFile, type TrashRecord, trashRoot } from '../media/media-trash.ts';
import type { UserMedia } from '../media/user-media.ts';
import type { UserFolder } from '../user-folder.ts';

/** A file as the media index has it. */
export interface IndexedFile {
  readonly name: string;
  readonly sha1: string;
}

/** Where index and folder differ, by name. */
export interface MediaDifferences {
  /** In the index, not in the folder. */
  readonly missing: readonly string[];
  /** In both, with other bytes. */
  readonly changed: readonly string[];
  /** In the folder only. */
  readonly extra: readonly string[];
}

/** All files of the index. */
export function listIndexed(media: UserMedia): IndexedFile[] {
  const files: IndexedFile[] = [];
  for (let afterUsn = -1; ; ) {
    const page = media.changesAfter(afterUsn);
    const last = page.at(-1);
    if (last === undefined) return files;
    for (const { name, sha1 } of page) if (sha1 !== undefined) files.push({ name, sha1 });
    afterUsn = last.usn;
  }
}

/** Reads all media files and compares them with the index. Takes as long as the disk needs. */
export async function compareMedia(folder: UserFolder, indexed: readonly IndexedFile[]): Promise<MediaDifferences> {
  const missing: string[] = [];
  const changed: string[] = [];
  for (const { name, sha1 } of indexed) {
    const content = isFileName(name) ? await contentOf(path.join(folder.media, name)) : undefined;
    if (content === undefined) missing.push(name);
    else if (content.sha1 !== sha1) changed.push(name);
  }
  const names = new Set(indexed.map(({ name }) => name));
  const extra = (await filesIn(folder.media)).filter((name) => !names.has(name)).sort();
  return { missing, changed, extra };
}

/**
 * Moves files that the index does not know into the trash, from where they can be restored. Only in the media lane of the
 * user; returns how many there were.
 */
export async function moveToTrash(folder: UserFolder, names: readonly string[], at: Date): Promise<number> {
  const files: TrashedFile[] = [];
  for (const name of names) {
    const content = isFileName(name) ? await contentOf(path.join(folder.media, name)) : undefined;
    if (content === undefined) continue;
    const mtimeSecs = Math.floor(at.getTime() / 1000);
    files.push({ name, usn: null, old: { ...content, mtimeSecs }, newSha1: null });
  }
  if (files.length === 0) return 0;
  const record: TrashRecord = {
    version: 1,
    at: at.toISOString(),
    folder: `${batchFolder(at, 0)}-${randomUUID().slice(0, 8)}`,
    files,
  };
  const batch = path.join(trashRoot(folder.root), record.folder);
  await mkdir(path.join(batch, 'files'), { recursive: true });
  await writeSynced(path.join(batch, 'batch.json'), Buffer.from(`${JSON.stringify(record, null, 1)}\n`));
  for (const { name } of files) await rename(path.join(folder.media, name), path.join(batch, 'files', name));
  const changed = [path.join(batch, 'files'), batch, path.dirname(batch), trashRoot(folder.root), folder.root];
  for (const each of [...changed, folder.media]) await syncFolder(each);
  return files.length;
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
