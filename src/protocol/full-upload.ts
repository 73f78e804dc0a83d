import { rmSync } from 'node:fs';
import type { UserCollection } from '../collection/user-collection.ts';

/** What the check of an uploaded file found; the file at `path` is ready to be stored as it is when it was accepted. */
export type CheckedUpload =
  | { readonly kind: 'accepted'; readonly path: string; readonly counts: UploadCounts }
  | { readonly kind: 'refused'; readonly path: string; readonly reason: string };

/** Rows of the big tables in the uploaded file. */
export interface UploadCounts {
  readonly notes: number;
  readonly cards: number;
  readonly revlog: number;
}

/** Puts the finished file in the place of the stored collection, which is closed, and keeps that one. */
export type ReplaceCollection = (upload: CheckedUpload & { readonly kind: 'accepted' }) => void;

/** Exactly what clients take for success. */
export const uploadDone = 'OK';
/** Shown to the user by every client. */
export const uploadCorrupt = 'Your upload was corrupt. Please use Check Database, or restore from backup.';

/**
 * `upload`: the checked file takes the place of the collection. A sync that is running ends, undone. Returns the text for
 * the client; when it was refused nothing of the stored collection changes.
 */
export function acceptUpload(
  collection: UserCollection,
  upload: CheckedUpload,
  replaceCollection: ReplaceCollection,
): string {
  const { user } = collection.folder;
  if (upload.kind === 'refused') {
    rmSync(upload.path, { force: true });
    collection.log.warn({ user, reason: upload.reason }, 'Refused a full upload; the stored collection is untouched');
    return uploadCorrupt;
  }
  collection.close();
  replaceCollection(upload);
  return uploadDone;
}
