import type { IndexedFile } from '../backup/compare-media.ts';
import type { MediaRepaired } from '../backup/repair-media.ts';
import type { TrashRestored, TrashWish } from '../backup/trashed-media.ts';
import type { Preparation } from '../collection/collection-file.ts';
import type { CollectionSummary } from '../collection/collection-summary.ts';
import type { RowCounts } from '../collection/kept-counts.ts';
import type { KeptEntries } from '../collection/kept-facts.ts';
import type { SmallObjects } from '../collection/kept-smalls.ts';
import type { CollectionFacts } from '../collection/stored-file.ts';
import type { BegunDownload } from '../collection/user-collection.ts';
import type { CheckedUpload } from '../protocol/full-upload.ts';
import type { Answer, Message } from '../protocol/message.ts';
import type { ToldMeta } from '../protocol/meta.ts';
import type { UserFolder } from '../user-folder.ts';

/** What a collection worker is told when it starts. */
export interface CollectionWorkerData {
  /** Limit of an inflated body, bytes. */
  readonly inflatedBytesMax: number;
  /** What the thread before it has learnt, if there was one. */
  readonly knowledge?: Knowledge | undefined;
}

/** What a thread knows of the collections of its users, so that the next one need not read it again. */
export interface Knowledge {
  readonly counts: KeptEntries<RowCounts>;
  readonly smalls: KeptEntries<SmallObjects>;
}

/** How much media a user has. */
export interface MediaTotals {
  readonly files: number;
  readonly bytes: number;
}

/** What a thread has open. */
export interface OpenCounts {
  readonly collections: number;
  readonly mediaIndexes: number;
  /** Syncs between `start` and `finish`. */
  readonly syncs: number;
}

/** The call was not executed: the file must be prepared first, then the call is to be repeated. */
export interface NeedsPreparation {
  readonly kind: 'prepare';
  readonly preparation: Preparation;
}

/** The call was executed. */
export type Done<Result> = { readonly kind: 'done'; readonly needsCheckIn: boolean } & Result;

/** What the thread that owns a user does with the user's collection and media. */
export interface CollectionCalls {
  /**
   * Answers any message on the collection but `upload` and `download`. `told`: to a `start`, what its client has heard from
   * `meta` by somebody else. `summary`: what the next `meta` will tell, after `meta` and `finish`; `mediaUsn` likewise.
   */
  answer(argument: {
    message: Message;
    told?: ToldMeta | undefined;
  }): Promise<NeedsPreparation | Done<{ answer: Answer; summary?: CollectionSummary; mediaUsn?: number | undefined }>>;
  /** Answers any message on the media. */
  answerMedia(message: Message): Promise<{ answer: Answer }>;
  /**
   * Puts a checked upload in the collection's place and keeps the old one; the text is for the client, `kept` is the id of
   * the backup, if there was anything to keep.
   */
  acceptUpload(argument: {
    folder: UserFolder;
    upload: CheckedUpload;
  }): Promise<{ text: string; kept: string | undefined }>;
  /** Puts a checked backup in the collection's place and keeps the old one; returns the id of that backup. */
  restoreCollection(argument: { folder: UserFolder; finished: string }): Promise<{ kept: string | undefined }>;
  /** See `UserCollection.standStill`; ends with `endDownload`. */
  standStill(folder: UserFolder): Promise<NeedsPreparation | Done<object>>;
  /** See `UserCollection.beginDownload`. */
  beginDownload(argument: { folder: UserFolder; sessionKey: string }): Promise<NeedsPreparation | Done<BegunDownload>>;
  /** Copies the committed collection to a new file. */
  copyTo(argument: { folder: UserFolder; target: string }): Promise<{ isWorkingForm: boolean }>;
  /** The main file is read no more. */
  endDownload(folder: UserFolder): Promise<{ needsCheckIn: boolean }>;
  /** Rolls a running sync back: its device may not sync any more. */
  endSync(folder: UserFolder): Promise<void>;
  /** Closes the media, which the next use opens again. Only when no message on them is being answered. */
  closeMedia(folder: UserFolder): Promise<void>;
  /** Closes the collection; false when a download still reads it. */
  close(folder: UserFolder): Promise<boolean>;
  /** See `rescueStray`; `kept` is the id of the backup. */
  rescue(folder: UserFolder): Promise<{ kept: string | undefined }>;
  /** Brings displaced media files back. */
  restoreTrashed(argument: { folder: UserFolder; wish: TrashWish }): Promise<TrashRestored>;
  /** How much media there is, by the index. */
  mediaTotals(folder: UserFolder): Promise<MediaTotals>;
  /** All files of the media index: name and SHA-1. */
  listMedia(folder: UserFolder): Promise<{ files: IndexedFile[] }>;
  /** Makes media index and folder agree. */
  repairMedia(argument: {
    folder: UserFolder;
    bad: readonly string[];
    extra: readonly string[];
  }): Promise<MediaRepaired>;
  /** Counts of the collection. */
  factsNow(folder: UserFolder): Promise<NeedsPreparation | Done<{ facts: CollectionFacts }>>;
  /** Answers at once, when the thread is not stuck: how much it has open. */
  ping(argument: undefined): Promise<OpenCounts>;
  /** What the thread knows, when nothing is open so that it can end; else undefined. */
  knowledgeIfIdle(argument: undefined): Promise<Knowledge | undefined>;
  /** Rolls back, closes everything, and tells whose file is left in working form. */
  closeAll(): Promise<{ needCheckIn: UserFolder[] }>;
}
