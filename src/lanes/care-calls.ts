import type { BackupReason, StoredBackup } from '../backup/backup-folder.ts';
import type { TrashedVersion, TrashRestored } from '../backup/trashed-media.ts';
import type { CollectionFacts } from '../collection/stored-file.ts';

/** What the owner of a server can ask for. Arguments and results are plain values, so that they can go through a socket. */
export interface CareCalls {
  /** Backups of one user, or of all. */
  listBackups(argument: { readonly user?: string }): Promise<readonly UserBackups[]>;
  /** Makes a backup now. */
  backUp(argument: { readonly user: string }): Promise<ListedBackup>;
  /** Puts a backup in the collection's place. With `media`, media files become again what they were at its time. */
  restore(argument: { readonly user: string; readonly backup: string; readonly media: boolean }): Promise<Restored>;
  /** Checks what is stored of one user, or of all; with `repair`, mends what can be mended. */
  verify(argument: { readonly user?: string; readonly repair: boolean }): Promise<readonly UserVerified[]>;
  /** Media files that were replaced or deleted, oldest first. */
  listTrash(argument: { readonly user: string }): Promise<readonly TrashedVersion[]>;
  /** Brings media back: the last version of a name, or everything that was displaced since a time, in ISO form. */
  restoreTrash(argument: { readonly user: string; readonly what: string }): Promise<TrashRestored>;
}

export const CARE_NAMES = ['listBackups', 'backUp', 'restore', 'verify', 'listTrash', 'restoreTrash'] as const;
export type CareName = (typeof CARE_NAMES)[number];

export interface UserBackups {
  readonly user: string;
  /** The collection as it is; undefined when there is none, or when it cannot be read. */
  readonly now?: CollectionFacts | undefined;
  readonly backups: readonly ListedBackup[];
}

export interface ListedBackup {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly reason: BackupReason;
  readonly form: StoredBackup['form'];
  readonly bytes: number;
  /** Undefined when it cannot be read. */
  readonly facts?: CollectionFacts | undefined;
}

export interface Restored {
  readonly id: string;
  readonly facts: CollectionFacts;
  /** The backup of what was in its place; undefined when that was nothing. */
  readonly kept?: string | undefined;
  readonly media?: TrashRestored | undefined;
}

export interface UserVerified {
  readonly user: string;
  /** One line each. */
  readonly problems: readonly string[];
  /** What was found in order, and what was mended; one line each. */
  readonly notes: readonly string[];
}

/** Something that the person who asked can put right; the text is for them. */
export class CareProblem extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'CareProblem';
  }
}
