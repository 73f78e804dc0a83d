import { rm } from 'node:fs/promises';
import { copySynced } from '../media/durable-files.ts';
import { contentOf } from '../media/file-content.ts';
import { parseMediaName } from '../media/media-name.ts';
import type { UserMedia } from '../media/user-media.ts';
import type { UserFolder } from '../user-folder.ts';
import { type IndexedFile, moveToTrash } from './compare-media.ts';
import { listTrashed } from './trashed-media.ts';

/** What became of the names. */
export interface MediaRepaired {
  /** The right bytes were in the trash, and are back. */
  readonly restored: readonly string[];
  /** Out of the index without a trace; wrong bytes, if any, are in the trash. */
  readonly forgotten: readonly string[];
  /** Moved to the trash. */
  readonly trashed: readonly string[];
}

export interface MediaDamage {
  /** Entries whose file is missing or changed, as the index has them. */
  readonly bad: readonly IndexedFile[];
  /** Files that no entry knows. */
  readonly extra: readonly string[];
}

/** Makes index and folder agree without deleting anything. Only in the media lane of the user. */
export async function repairMedia(
  folder: UserFolder,
  media: UserMedia,
  { bad, extra }: MediaDamage,
): Promise<MediaRepaired> {
  const restored: string[] = [];
  const forgotten: string[] = [];
  for (const { name, sha1 } of bad) {
    const download = await media.download([name]);
    if (download.kind === 'file') await rm(download.path, { force: true });
    if (download.kind !== 'unavailable') continue; // It is right again.
    const isBack = await bringBack(folder, media, { name, sha1 });
    (isBack ? restored : forgotten).push(name);
  }
  await moveToTrash(folder, extra, new Date());
  return { restored, forgotten, trashed: extra };
}

/** Looks for the bytes that the index promised, under the same name in the trash. */
async function bringBack(folder: UserFolder, media: UserMedia, wanted: IndexedFile): Promise<boolean> {
  const name = parseMediaName(wanted.name);
  if (name.kind !== 'name') return false;
  for (const version of (await listTrashed(folder)).toReversed()) {
    if (version.name !== wanted.name) continue;
    const content = await contentOf(version.path);
    if (content?.sha1 !== wanted.sha1) continue;
    const copy = media.temporaryPath();
    await copySynced(version.path, copy);
    await media.upload([{ name: name.name, content: { ...content, path: copy } }]);
    return true;
  }
  return false;
}
