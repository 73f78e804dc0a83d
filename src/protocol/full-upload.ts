import { rmSync } from 'node:fs';
import type { UserCollection } from '../collection/user-collection.ts';
import type { Report } from './report.ts';

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

/**
 * Puts the finished file in the place of the stored collection, which is closed, and keeps that one. `not kept`: it could
 * not, so nothing was replaced.
 */
export type ReplaceCollection = (upload: CheckedUpload & { readonly kind: 'accepted' }) => 'replaced' | 'not kept';

/** Exactly what clients take for success. */
export const uploadDone = 'OK';
/** Shown to the user by every client. */
export const uploadCorrupt = 'Your upload was corrupt. Please use Check Database, or restore from backup.';
/** The same for a fault that only the owner of the server can mend: a status would hide it behind "try again later". */
export const uploadNotKept =
  'Nothing was uploaded: the server could not make a backup of the collection that it has. Please tell whoever runs the server; its log says why.';

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
    collection.abandon('conflict', 'a full upload came'); // As on the official server.
    collection.log.warn({ user, reason: upload.reason }, 'Refused a full upload; the stored collection is untouched');
    return uploadCorrupt;
  }
  collection.close();
  return replaceCollection(upload) === 'replaced' ? uploadDone : uploadNotKept;
}

/** What became of an upload of so many bytes that was answered with this text. */
export function reportOfUpload(upload: CheckedUpload, text: string, bytes: number): Report {
  if (upload.kind === 'refused') return { refusal: upload.reason };
  if (text !== uploadDone) return { refusal: text };
  const { notes, cards, revlog } = upload.counts;
  return { collection: { notes, cards, reviews: revlog, bytes } };
}
