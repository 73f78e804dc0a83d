import { randomUUID } from 'node:crypto';
import { rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { UserFolder } from '../user-folder.ts';
import { keepUnder, moveOver, syncFolder } from './durable-files.ts';
import { contentOf } from './file-content.ts';
import type { MediaEntry } from './media-db.ts';
import { type TrashedFile, type TrashRecord, trashedFilePath, trashRoot, unfinishedBatchFile } from './media-trash.ts';

type EntryOf = (name: string) => MediaEntry | undefined;

/**
 * Makes the files of a batch agree with the index, from whatever state it was left in, and closes the batch. It goes by
 * the bytes alone, not by how far the batch is thought to have come: so it also works when it was cut off itself, or
 * when another program has used the folder in between.
 */
export async function settleBatch(folder: UserFolder, record: TrashRecord, entryOf: EntryOf): Promise<void> {
  const batchPath = path.join(trashRoot(folder.root), record.folder);
  let kept = 0;
  for (const file of record.files) {
    const staysInTrash = await settleFile(folder, file, batchPath, entryOf(file.name));
    if (staysInTrash) kept += 1;
  }
  await syncFolder(folder.media);
  if (kept > 0) {
    await archiveBatch(folder, record);
    return;
  }
  await rm(batchPath, { recursive: true, force: true });
  await rmdir(path.dirname(batchPath)).catch(() => {}); // Unless the day has other batches.
  await rm(unfinishedBatchFile(folder.root), { force: true });
}

/** Closes a batch: its record goes where the files are that it speaks of. */
export async function archiveBatch(folder: UserFolder, record: TrashRecord): Promise<void> {
  await moveOver(unfinishedBatchFile(folder.root), path.join(trashRoot(folder.root), record.folder, 'batch.json'));
}

// True when the file that was displaced stays in the trash.
async function settleFile(
  folder: UserFolder,
  file: TrashedFile,
  batchPath: string,
  entry: MediaEntry | undefined,
): Promise<boolean> {
  const target = path.join(folder.media, file.name);
  const trashed = trashedFilePath(batchPath, file.name);
  const wanted = entry !== undefined && entry.size > 0 ? entry.sha1 : undefined;
  const kept = (await contentOf(trashed))?.sha1;
  let now = (await contentOf(target))?.sha1;
  if (wanted !== undefined && now !== wanted && kept === wanted) {
    const draft = path.join(folder.incoming, `media-${randomUUID()}`);
    await keepUnder(trashed, draft);
    await moveOver(draft, target);
    now = wanted;
  } else if (wanted === undefined && now !== undefined && (now === kept || now === file.newSha1)) {
    await rm(target, { force: true });
    now = undefined;
  }
  if (kept === undefined || kept === now) {
    await rm(trashed, { force: true }); // It is in its old place: nothing was displaced.
    return false;
  }
  return true;
}
