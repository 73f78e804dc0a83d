import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeepingPolicy } from '../backup/retention.ts';
import type { CollectionFacts } from '../collection/stored-file.ts';
import { causesOf, SyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Answer, Message } from '../protocol/message.ts';
import { MEDIA_METHODS } from '../protocol/message.ts';
import type { UserFolder } from '../user-folder.ts';
import type { Done, NeedsPreparation } from '../worker/collection-calls.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import type { CareCalls } from './care-calls.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type LaneAccess, Safekeeping } from './safekeeping.ts';
import { SerialQueue } from './serial-queue.ts';
import { UserCare } from './user-care.ts';

export interface LanesOptions {
  /** Limit of an inflated body, bytes. */
  readonly inflatedBytesMax: number;
  /** The data folder. */
  readonly base: string;
  /** How long backups and displaced media are kept. */
  readonly policy: KeepingPolicy;
  readonly log: Log;
}

/** An upload waits this long for a download of the same collection to end, milliseconds. */
const downloadWaitMsMax = 5_000;
const downloadPollMs = 25;

interface Lane {
  readonly collection: SerialQueue;
  readonly media: SerialQueue;
}

/**
 * One lane per user: requests of one user run one at a time, users never wait for each other. Media has a lane of its
 * own, because it may be synced while a collection is.
 */
export class Lanes implements Dispatcher, LaneAccess {
  readonly #lanes = new Map<string, Lane>();
  readonly #pool: WorkerPool;
  readonly #log: Log;
  /** Makes backups behind the answers. */
  readonly safekeeping: Safekeeping;

  /** What the owner of the server can ask for. */
  readonly care: CareCalls;

  constructor({ inflatedBytesMax, base, policy, log }: LanesOptions) {
    this.#log = log;
    this.#pool = new WorkerPool({ inflatedBytesMax }, log);
    this.safekeeping = new Safekeeping({ lanes: this, pool: this.#pool, policy, log });
    this.care = new UserCare({ base, lanes: this, pool: this.#pool, safekeeping: this.safekeeping, log });
  }

  dispatch(message: Message): Promise<Answer> {
    if (MEDIA_METHODS.some((method) => method === message.method)) return this.#media(message);
    if (message.method === 'upload') return this.#upload(message);
    if (message.method === 'download') return this.#download(message);
    return this.#collection(message);
  }

  release(folder: UserFolder): void {
    void this.#endDownload(folder).catch((error: unknown) => this.#report(folder, 'Cannot end a download', error));
  }

  async close(): Promise<void> {
    this.safekeeping.close();
    await this.#drain();
    const threads = this.#pool.runningCollectionThreads();
    const closed = await Promise.all(threads.map((thread) => thread.call('closeAll', undefined as never)));
    for (const folder of closed.flatMap(({ needCheckIn }) => needCheckIn)) {
      await this.#pool
        .heavy('checkIn', { path: folder.collection })
        .catch((error: unknown) => this.#report(folder, 'Cannot check the collection in; the next start will', error));
    }
    await this.#pool.stop();
  }

  /** Waits for what runs or waits in any lane, such as a check in behind an answer that was just given. */
  async #drain(): Promise<void> {
    const queues = [...this.#lanes.values()].flatMap((lane) => [lane.collection, lane.media]);
    await Promise.all(queues.map((queue) => queue.run(async () => {})));
  }

  async #collection(message: Message): Promise<Answer> {
    const { folder } = message;
    return this.#lane(folder).collection.run(async () => {
      const done = await this.#prepared(folder, () => this.#pool.threadOf(folder.user).call('answer', message));
      if (done.needsCheckIn) this.#scheduleCheckIn(folder);
      if (message.method === 'finish') this.safekeeping.changed(folder);
      return done.answer;
    });
  }

  async #media(message: Message): Promise<Answer> {
    const { folder } = message;
    return this.#lane(folder).media.run(async () => {
      const { answer } = await this.#pool.threadOf(folder.user).call('answerMedia', message);
      return answer;
    });
  }

  /** The file is checked before the lane is taken: other requests of the user go on meanwhile. */
  async #upload(message: Message): Promise<Answer> {
    const { folder, payload } = message;
    if (payload.kind !== 'file') throw new Error('An upload must have been spooled to a file');
    try {
      const verdict = await this.#pool.heavy('prepareUpload', { path: payload.path });
      const upload = { ...verdict, path: payload.path };
      if (verdict.kind === 'accepted' && verdict.dropped.length > 0) {
        this.#log.warn({ user: folder.user, dropped: verdict.dropped }, 'Dropped triggers and views from an upload');
      }
      return await this.#lane(folder).collection.run(async () => {
        await this.closeInLane(folder);
        const { text, kept } = await this.#pool.threadOf(folder.user).call('acceptUpload', { folder, upload });
        if (kept !== undefined) this.safekeeping.kept(folder, kept);
        if (upload.kind === 'accepted') this.safekeeping.changed(folder);
        return { kind: 'bytes', bytes: Buffer.from(text) };
      });
    } finally {
      await rm(payload.path, { force: true });
    }
  }

  async #download(message: Message): Promise<Answer> {
    const { folder, dress, sessionKey } = message;
    return this.#lane(folder).collection.run(async () => {
      const thread = this.#pool.threadOf(folder.user);
      const done = await this.#prepared(folder, () => thread.call('beginDownload', { folder, sessionKey }));
      if (done.byteLength !== undefined) await this.#refuseIfDamaged(folder);
      if (dress === 'modern' && done.byteLength !== undefined) {
        return { kind: 'file', path: folder.collection, byteLength: done.byteLength, afterwards: 'release' };
      }
      return this.#privateCopy(folder, done.byteLength !== undefined, dress === 'legacy');
    });
  }

  /** The device throws its own collection away for this one, which stands still. */
  async #refuseIfDamaged(folder: UserFolder): Promise<void> {
    try {
      const damage = await this.#pool.heavy('damageIn', { path: folder.collection });
      if (damage === undefined) return;
      this.#log.error(
        { user: folder.user, path: folder.collection, damage },
        `The stored collection is damaged; see anki-sync-server verify ${folder.user}`,
      );
      throw new SyncError('serverFault', `Cannot send the collection ${folder.collection}, it is damaged: ${damage}`);
    } catch (error) {
      await this.#endDownload(folder);
      throw error;
    }
  }

  /** A copy for one download: of the main file when it stands still, else of the committed state. */
  async #privateCopy(folder: UserFolder, standsStill: boolean, asSchema11: boolean): Promise<Answer> {
    await mkdir(folder.incoming, { recursive: true });
    const copy = path.join(folder.incoming, `download-${randomUUID()}.anki2`);
    try {
      if (standsStill) {
        await copyFile(folder.collection, copy, constants.COPYFILE_FICLONE).finally(() => this.#endDownload(folder));
      } else {
        const { isWorkingForm } = await this.#pool.threadOf(folder.user).call('copyTo', { folder, target: copy });
        if (isWorkingForm) await this.#pool.heavy('checkIn', { path: copy });
      }
      if (!asSchema11) return await fileAnswer(copy);
      const converted = path.join(folder.incoming, `download-${randomUUID()}.anki2`);
      await this.#pool.heavy('makeSchema11Snapshot', { source: copy, target: converted });
      await rm(copy, { force: true });
      return await fileAnswer(converted);
    } catch (error) {
      await rm(copy, { force: true });
      throw error;
    }
  }

  /** Repeats a call after what it needs first was done. */
  async #prepared<Result>(
    folder: UserFolder,
    call: () => Promise<NeedsPreparation | Done<Result>>,
  ): Promise<Done<Result>> {
    const first = await call();
    if (first.kind === 'done') return first;
    await this.#pool.heavy('prepare', { folder, preparation: first.preparation });
    const second = await call();
    if (second.kind === 'done') return second;
    throw new SyncError('serverFault', `Cannot open the collection: it still needs "${second.preparation}"`);
  }

  /** Restores the canonical form as soon as the running request is answered. */
  #scheduleCheckIn(folder: UserFolder): void {
    void this.#lane(folder)
      .collection.run(async () => {
        // While a download reads the main file it waits; the end of the download asks again.
        if (!(await this.#pool.threadOf(folder.user).call('close', folder))) return;
        await this.#pool.heavy('checkIn', { path: folder.collection });
      })
      .catch((error: unknown) => this.#report(folder, 'Cannot check the collection in; the next sync will', error));
  }

  async #endDownload(folder: UserFolder): Promise<void> {
    const { needsCheckIn } = await this.#pool.threadOf(folder.user).call('endDownload', folder);
    if (needsCheckIn) this.#scheduleCheckIn(folder);
  }

  inCollectionLane<Result>(folder: UserFolder, task: () => Promise<Result>): Promise<Result> {
    return this.#lane(folder).collection.run(task);
  }

  inMediaLane<Result>(folder: UserFolder, task: () => Promise<Result>): Promise<Result> {
    return this.#lane(folder).media.run(task);
  }

  async whileStill<Result>(folder: UserFolder, task: () => Promise<Result>): Promise<Result> {
    await this.#lane(folder).collection.run(() =>
      this.#prepared(folder, () => this.#pool.threadOf(folder.user).call('standStill', folder)),
    );
    try {
      return await task();
    } finally {
      await this.#endDownload(folder);
    }
  }

  async factsNow(folder: UserFolder): Promise<CollectionFacts> {
    return this.#lane(folder).collection.run(async () => {
      const call = () => this.#pool.threadOf(folder.user).call('factsNow', folder);
      return (await this.#prepared(folder, call)).facts;
    });
  }

  /** The file is to be replaced, which it cannot be while another device still reads it. */
  async closeInLane(folder: UserFolder): Promise<void> {
    const thread = this.#pool.threadOf(folder.user);
    for (let waitedMs = 0; waitedMs <= downloadWaitMsMax; waitedMs += downloadPollMs) {
      if (await thread.call('close', folder)) return;
      await sleep(downloadPollMs);
    }
    throw new SyncError('syncConflict', 'Cannot store the upload: another device is downloading the collection');
  }

  #lane(folder: UserFolder): Lane {
    let lane = this.#lanes.get(folder.user);
    if (lane === undefined) {
      lane = { collection: new SerialQueue(), media: new SerialQueue() };
      this.#lanes.set(folder.user, lane);
    }
    return lane;
  }

  #report(folder: UserFolder, text: string, error: unknown): void {
    this.#log.error({ user: folder.user, reason: causesOf(error) }, text);
  }
}

async function fileAnswer(file: string): Promise<Answer> {
  return { kind: 'file', path: file, byteLength: (await stat(file)).size, afterwards: 'delete' };
}
