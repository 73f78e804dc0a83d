import { rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { mediaFilesPerRequestMax } from '../limits.ts';
import { copySynced } from '../media/durable-files.ts';
import { contentOf } from '../media/file-content.ts';
import { type MediaName, parseMediaName } from '../media/media-name.ts';
import type { ReceivedContent } from '../media/media-store.ts';
import { listTrash, type TrashBatch, trashedFilePath } from '../media/media-trash.ts';
import type { UploadedChange } from '../media/plan-upload.ts';
import type { UserMedia } from '../media/user-media.ts';
import type { UserFolder } from '../user-folder.ts';
import { batchesToDelete, type KeepingPolicy } from './retention.ts';

/** One file in the trash. */
export interface TrashedVersion {
  readonly name: string;
  /** When it was replaced or deleted, epoch milliseconds. */
  readonly atMs: number;
  /** What happened to it. */
  readonly fate: 'deleted' | 'replaced';
  readonly bytes: number;
  readonly path: string;
  /** Of the bytes that it must have; undefined when nobody knows, as of a file that another program had changed. */
  readonly sha1?: string | undefined;
}

/** What is to come back: everything as it was at a time, or one file in its last version before the present one. */
export type TrashWish = { readonly sinceMs: number } | { readonly name: string };

/** What became of a wish. */
export interface TrashRestored {
  readonly restored: readonly string[];
  /** Names whose file in the trash is missing or damaged. */
  readonly unreadable: readonly string[];
}

/** All displaced files of a user, oldest first. */
export async function listTrashed(folder: UserFolder): Promise<TrashedVersion[]> {
  return (await listTrash(folder.root)).flatMap((batch) => versionsOf(batch));
}

/** Which displaced files bring about a wish: at most one for each name. `versions` are in the order of their times. */
export function chooseTrashed(versions: readonly TrashedVersion[], wish: TrashWish): TrashedVersion[] {
  const chosen = new Map<string, TrashedVersion>();
  for (const version of versions) {
    if ('name' in wish) {
      if (version.name === wish.name) chosen.set(version.name, version);
    } else if (version.atMs >= wish.sinceMs && !chosen.has(version.name)) {
      chosen.set(version.name, version); // What was displaced first is what was there at that time.
    }
  }
  return [...chosen.values()];
}

/**
 * Brings displaced files back, as if a device had sent them: they get new numbers, so that every device fetches them, and
 * what is in their place goes to the trash itself. Only in the media lane of the user.
 */
export async function restoreTrashed(folder: UserFolder, media: UserMedia, wish: TrashWish): Promise<TrashRestored> {
  const chosen = chooseTrashed(await listTrashed(folder), wish);
  const unreadable: string[] = [];
  const restored: string[] = [];
  for (let at = 0; at < chosen.length; at += mediaFilesPerRequestMax) {
    const changes: UploadedChange<ReceivedContent>[] = [];
    const copies: string[] = [];
    try {
      for (const version of chosen.slice(at, at + mediaFilesPerRequestMax)) {
        const copy = media.temporaryPath();
        copies.push(copy);
        const change = await changeTo(version, copy);
        if (change === undefined) unreadable.push(version.name);
        else changes.push(change);
      }
      await media.upload(changes);
      restored.push(...changes.map(({ name }) => name));
    } finally {
      await Promise.all(copies.map((copy) => rm(copy, { force: true })));
    }
  }
  return { restored, unreadable };
}

/** What is wrong in the trash: files that cannot be brought back. Reads all of them. */
export async function damageInTrash(folder: UserFolder): Promise<string[]> {
  const damaged: string[] = [];
  for (const { name, atMs, path: file, sha1 } of await listTrashed(folder)) {
    const content = await contentOf(file);
    const isWhole = content !== undefined && (sha1 === undefined || content.sha1 === sha1);
    if (!isWhole) damaged.push(`${name} of ${new Date(atMs).toISOString()}`);
  }
  return damaged;
}

/** Removes displaced files whose time is over; returns how many batches went. */
export async function thinTrash(folder: UserFolder, nowMs: number, policy: KeepingPolicy): Promise<number> {
  const batches = (await listTrash(folder.root)).map((batch) => {
    const bytes = versionsOf(batch).reduce((sum, version) => sum + version.bytes, 0);
    return { path: batch.path, atMs: Date.parse(batch.record.at), bytes };
  });
  const due = batchesToDelete(batches, nowMs, policy);
  for (const batch of due) {
    await rm(batch.path, { recursive: true, force: true });
    await rmdir(path.dirname(batch.path)).catch(() => {}); // Unless the day has other batches.
  }
  return due.length;
}

function versionsOf({ record, path: batchPath }: TrashBatch): TrashedVersion[] {
  return record.files.map(({ name, usn, newSha1, old }) => ({
    name,
    atMs: Date.parse(record.at),
    fate: newSha1 === null ? 'deleted' : 'replaced',
    bytes: old?.size ?? 0,
    path: trashedFilePath(batchPath, name),
    sha1: usn === null ? undefined : old?.sha1,
  }));
}

/** A copy, because the file in the trash stays until its time is over. */
async function changeTo(version: TrashedVersion, copy: string): Promise<UploadedChange<ReceivedContent> | undefined> {
  const name = parseMediaName(version.name);
  const content = await contentOf(version.path);
  if (name.kind !== 'name' || content === undefined || content.size === 0) return undefined;
  if (version.sha1 !== undefined && content.sha1 !== version.sha1) return undefined;
  await copySynced(version.path, copy);
  return { name: name.name satisfies MediaName, content: { ...content, path: copy } };
}
