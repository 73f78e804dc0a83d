import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BackupReason,
  backupsFolder,
  listBackups,
  type StoredBackup,
  unusedBackupId,
} from '../backup/backup-folder.ts';
import { draftPath, removeCollection } from '../backup/draft-files.ts';
import type { Packing } from '../backup/pack.ts';
import { backupsToDelete, dayMs, type KeepingPolicy } from '../backup/retention.ts';
import { thinTrash } from '../backup/trashed-media.ts';
import type { CollectionFacts } from '../collection/stored-file.ts';
import { causesOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { UserFolder } from '../user-folder.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import { SerialQueue } from './serial-queue.ts';

/** After a start, old things are looked through when the first devices have been answered, milliseconds. */
const firstSweepMs = 5_000;

/** What safekeeping needs of the lanes. */
export interface LaneAccess {
  /** Runs a task when no message of the user's collection is being answered. */
  inCollectionLane<Result>(folder: UserFolder, task: () => Promise<Result>): Promise<Result>;
  /** The same for messages on media. */
  inMediaLane<Result>(folder: UserFolder, task: () => Promise<Result>): Promise<Result>;
  /**
   * Copies the collection, as committed at some moment, with what lies beside it to a new file, while syncs go on. The copy
   * gives way to an upload, and then begins anew.
   */
  copyCollection(folder: UserFolder, target: string): Promise<void>;
  /** The counts of the collection as it is. */
  factsNow(folder: UserFolder): Promise<CollectionFacts>;
  /** Closes the collection; stops copies of it, waits for downloads. Only in the lane. */
  closeInLane(folder: UserFolder): Promise<void>;
}

export interface SafekeepingOptions {
  readonly lanes: LaneAccess;
  readonly pool: WorkerPool;
  readonly policy: KeepingPolicy;
  readonly log: Log;
}

/** A daily backup begins when nobody has synced for this long, milliseconds, */
const quietMs = 2_000;
/** but waits no longer than this. */
const quietWaitMsMax = 60_000;
/** A stop is noticed within this time. */
const closePollMs = 250;

/**
 * Backups that nobody asks for: packs what uploads replaced, makes one a day of each collection that changes, and removes
 * what is too old. All of it goes on behind the answers, one collection at a time.
 */
export class Safekeeping {
  readonly #lanes: LaneAccess;
  readonly #pool: WorkerPool;
  readonly #policy: KeepingPolicy;
  readonly #log: Log;
  readonly #queue = new SerialQueue();
  /** By user, the UTC day for which a daily backup is there or on its way. */
  readonly #dailies = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** When a sync or an upload last ended, by `performance.now()`. */
  #lastChangeMs = 0;

  constructor({ lanes, pool, policy, log }: SafekeepingOptions) {
    this.#lanes = lanes;
    this.#pool = pool;
    this.#policy = policy;
    this.#log = log;
  }

  /** Looks through all users soon, and once a day from then on. */
  watch(folders: () => readonly UserFolder[]): void {
    const sweep = (): void => {
      this.#timer = setTimeout(sweep, dayMs).unref();
      for (const folder of folders()) this.#behind(folder, 'look through the backups', () => this.#sweep(folder));
    };
    this.#timer = setTimeout(sweep, firstSweepMs).unref();
  }

  /** The folder is about to be moved or deleted. */
  forget(folder: UserFolder): void {
    this.#dailies.delete(folder.root);
  }

  /** Begins nothing new. What is going on may be cut off; the next start completes it. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** A sync or an upload has changed the collection. */
  changed(folder: UserFolder): void {
    this.#lastChangeMs = performance.now();
    const today = Math.floor(Date.now() / dayMs);
    if (this.#dailies.get(folder.root) === today) return;
    this.#dailies.set(folder.root, today);
    this.#behind(folder, 'make the daily backup', async () => {
      const isThere = listBackups(folder).some(
        ({ reason, atMs }) => reason === 'daily' && Math.floor(atMs / dayMs) === today,
      );
      if (isThere) return;
      try {
        await this.#quiet();
        await this.#backUp(folder, 'daily');
        this.#thin(folder);
      } catch (error) {
        this.#dailies.delete(folder.root); // The next change tries again.
        throw error;
      }
    });
  }

  /** Waits until nobody has synced for a moment: whoever syncs now needs the processor and the disk more. */
  async #quiet(): Promise<void> {
    const giveUpMs = performance.now() + quietWaitMsMax;
    const leftMs = (): number => Math.min(this.#lastChangeMs + quietMs, giveUpMs) - performance.now();
    for (let waitMs = leftMs(); waitMs > 0 && !this.#closed; waitMs = leftMs()) {
      await sleep(Math.min(waitMs, closePollMs), undefined, { ref: false });
    }
    if (this.#closed) throw new Error('The server is stopping');
  }

  /** Something was kept by a link, and is to be packed. */
  kept(folder: UserFolder, id: string): void {
    this.#behind(folder, 'pack a replaced collection', async () => {
      await this.#packPending(folder, id);
      this.#thin(folder);
    });
  }

  /** Makes a backup now. Throws when it cannot be written, or when the collection is damaged. */
  backUp(folder: UserFolder): Promise<StoredBackup> {
    return this.#queue.run(() => this.#backUp(folder, 'manual'));
  }

  /** Runs a task when nothing is being packed or removed. */
  inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#queue.run(task);
  }

  /** Resolves when all work that was begun is done. */
  async idle(): Promise<void> {
    await this.#queue.run(async () => {});
  }

  async #backUp(folder: UserFolder, reason: BackupReason): Promise<StoredBackup> {
    const copy = draftPath(folder, 'backup');
    try {
      await this.#lanes.copyCollection(folder, copy);
      if (this.#closed) throw new Error('The server is stopping');
      const id = unusedBackupId(folder, Date.now(), reason);
      const packing = await this.#pool.heavy('packCopy', { folder, copy, id });
      if (packing.kind === 'damaged') throw this.#damaged(folder, packing.damage);
      const made = listBackups(folder).find((backup) => backup.id === id);
      if (made === undefined) throw new Error(`The backup ${id} is gone`);
      this.#log.info({ user: folder.user, backup: id, bytes: packing.bytes }, 'Made a backup');
      return made;
    } finally {
      removeCollection(copy);
    }
  }

  async #packPending(folder: UserFolder, id: string): Promise<void> {
    const packing: Packing = await this.#pool.heavy('packPending', { folder, id });
    if (packing.kind === 'packed') {
      this.#log.info({ user: folder.user, backup: id, bytes: packing.bytes }, 'Packed a replaced collection');
    } else {
      const { damage, kept } = packing;
      this.#log.error({ user: folder.user, damage, kept }, 'A replaced collection is damaged; it was set aside');
    }
  }

  /** Completes what an earlier process left, and removes what is too old. */
  async #sweep(folder: UserFolder): Promise<void> {
    const names = await readdir(backupsFolder(folder)).catch(() => []);
    for (const name of names.filter((each) => each.endsWith('.tmp'))) {
      await rm(path.join(backupsFolder(folder), name), { force: true });
    }
    for (const { id, form, path: pending } of listBackups(folder)) {
      if (form !== 'pending' || this.#closed) continue;
      const dropIfLive = () => this.#pool.heavy('dropIfLive', { folder, pending });
      if (await this.#lanes.inCollectionLane(folder, dropIfLive)) continue;
      await this.#packPending(folder, id);
    }
    this.#thin(folder);
    const gone = await this.#lanes.inMediaLane(folder, () => thinTrash(folder, Date.now(), this.#policy));
    if (gone > 0) this.#log.info({ user: folder.user, batches: gone }, 'Removed old files from the media trash');
  }

  #thin(folder: UserFolder): void {
    const backups = listBackups(folder);
    for (const { id, path: file } of backupsToDelete(backups, Date.now(), this.#policy)) {
      removeCollection(file);
      this.#log.info({ user: folder.user, backup: id }, 'Removed an old backup');
    }
  }

  #damaged(folder: UserFolder, damage: string): Error {
    this.#log.error(
      { user: folder.user, path: folder.collection, damage },
      `The stored collection is damaged, so no backup was made of it; see anki-sync-server verify ${folder.user}`,
    );
    return new Error(`The collection ${folder.collection} is damaged: ${damage}`);
  }

  /** Runs work that nobody waits for, after all such work that came before. */
  #behind(folder: UserFolder, what: string, work: () => Promise<void>): void {
    void this.#queue
      .run(async () => {
        // A folder that was moved meanwhile would be made anew.
        if (!this.#closed && existsSync(folder.root)) await work();
      })
      .catch((error: unknown) => {
        if (this.#closed) return;
        this.#log.error({ user: folder.user, reason: causesOf(error) }, `Cannot ${what}`);
      });
  }
}
