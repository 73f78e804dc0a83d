import { randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeCollection } from '../backup/draft-files.ts';
import type { KeepingPolicy } from '../backup/retention.ts';
import type { Preparation } from '../collection/collection-file.ts';
import type { CollectionFacts } from '../collection/stored-file.ts';
import { causesOf, SyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import { reportOfUpload, uploadDone } from '../protocol/full-upload.ts';
import type { Answer, Message } from '../protocol/message.ts';
import { MEDIA_METHODS } from '../protocol/message.ts';
import { hasOwnMemory } from '../storage/own-memory.ts';
import { StopSign } from '../storage/stoppable-copy.ts';
import type { UserFolder } from '../user-folder.ts';
import type { Done, MediaTotals, NeedsPreparation } from '../worker/collection-calls.ts';
import type { TellWorkEvent } from '../worker/work-event.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import type { CareCalls } from './care-calls.ts';
import type { Dispatcher } from './dispatcher.ts';
import { MetaCache } from './meta-cache.ts';
import { type LaneAccess, Safekeeping } from './safekeeping.ts';
import { type Admission, LaneEnding } from './sync-ending.ts';
import { UserCare } from './user-care.ts';
import { UserLanes } from './user-lanes.ts';
import type { WorkState } from './work-state.ts';

export interface LanesOptions {
  /** Limit of an inflated body, bytes. */
  readonly inflatedBytesMax: number;
  /** The data folder. */
  readonly base: string;
  /** How long backups and displaced media are kept. */
  readonly policy: KeepingPolicy;
  readonly log: Log;
  /** May a message still be answered when its turn has come? Everything may by default. */
  readonly admission?: Admission;
  /** Hears what happens beside the answers. */
  readonly tell?: TellWorkEvent;
}

type FileAnswer = Answer & { readonly kind: 'file' };

/** An upload waits this long for a download of the same collection to end, milliseconds. */
const downloadWaitMsMax = 5_000;
const downloadPollMs = 25;
/** Enough to check a collection of some ten megabytes, and too short to be noticed, milliseconds. */
const checkWaitMsMax = 80;

/**
 * One lane per user: requests of one user run one at a time, users never wait for each other. Media has a lane of its
 * own, because it may be synced while a collection is.
 */
export class Lanes implements Dispatcher, LaneAccess {
  readonly #lanes = new UserLanes();
  readonly #pool: WorkerPool;
  readonly #log: Log;
  readonly #metas: MetaCache;
  /** Makes backups behind the answers. */
  readonly safekeeping: Safekeeping;

  /** What the owner of the server can ask for. */
  readonly care: CareCalls;
  /** Ends the access of users and devices in the middle of a sync. */
  readonly ending: LaneEnding;

  constructor(options: LanesOptions) {
    const { inflatedBytesMax, base, policy, log, tell, admission = () => {} } = options;
    this.#log = log;
    this.#metas = new MetaCache(inflatedBytesMax);
    this.#pool = new WorkerPool({ inflatedBytesMax }, log, tell);
    this.safekeeping = new Safekeeping({ lanes: this, pool: this.#pool, policy, log });
    this.ending = new LaneEnding({ lanes: this, pool: this.#pool, safekeeping: this.safekeeping, admission });
    this.care = new UserCare({ base, lanes: this, pool: this.#pool, safekeeping: this.safekeeping, log });
  }

  dispatch(message: Message): Promise<Answer> {
    if (MEDIA_METHODS.some((method) => method === message.method)) return this.#media(message);
    if (message.method === 'upload') return this.#upload(message);
    if (message.method === 'download') return this.#download(message);
    return this.#collection(message);
  }

  /** What is going on; a thread that does not answer within `answerMsMax` is stuck or has much to do. */
  async state(answerMsMax: number): Promise<WorkState> {
    const queues = this.#lanes.all().flatMap((lane) => [lane.collection, lane.media]);
    const nowMs = performance.now();
    return {
      activeLanes: this.#lanes.all().filter((lane) => lane.collection.length + lane.media.length > 0).length,
      waitingMessages: queues.reduce((sum, queue) => sum + Math.max(0, queue.length - 1), 0),
      longestMs: Math.max(0, ...queues.map(({ runningSinceMs = nowMs }) => nowMs - runningSinceMs)),
      heavyJobs: this.#pool.heavyJobs,
      threads: await this.#pool.openCounts(answerMsMax),
    };
  }

  /** How much media a user has; asked for in turn with the messages. */
  async mediaTotals(folder: UserFolder): Promise<MediaTotals> {
    if (!existsSync(folder.mediaDb)) return { files: 0, bytes: 0 };
    return this.#lanes.of(folder).media.run(() => this.#pool.threadOf(folder.user).call('mediaTotals', folder));
  }

  uploadBegins(): void {
    this.#pool.warmUp('upload');
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
    const queues = this.#lanes.all().flatMap((lane) => [lane.collection, lane.media]);
    await Promise.all(queues.map((queue) => queue.run(async () => {})));
  }

  /** Answered here while nothing changes; otherwise in turn by the thread, which then tells what to answer next time. */
  async #meta(message: Message): Promise<Answer> {
    const { folder } = message;
    this.ending.admit(message);
    const known = this.#metas.answer(message);
    if (known !== undefined) return known;
    return this.#lanes.of(folder).collection.run(async () => {
      this.ending.admit(message);
      const mark = this.#metas.mark(folder);
      const done = await this.#prepared(folder, () => this.#pool.threadOf(folder.user).call('answer', { message }));
      if (done.needsCheckIn) this.#scheduleCheckIn(folder);
      const { summary, mediaUsn } = done;
      if (summary !== undefined && mediaUsn !== undefined) this.#metas.learn(message, mark, { summary, mediaUsn });
      return done.answer;
    });
  }

  async #collection(message: Message): Promise<Answer> {
    const { folder } = message;
    if (message.method === 'meta') return this.#meta(message);
    const task = async () => {
      this.ending.admit(message);
      const told = message.method === 'start' ? this.#metas.takeTold(message) : undefined;
      const call = () => this.#pool.threadOf(folder.user).call('answer', { message, told });
      const done = await this.#prepared(folder, call);
      if (done.needsCheckIn) this.#scheduleCheckIn(folder);
      if (message.method === 'start') this.ending.started(message);
      if (message.method === 'finish') this.safekeeping.changed(folder);
      return done;
    };
    // The next device that asks whether there is something new need not wait for the thread.
    const news = (done: Awaited<ReturnType<typeof task>>) => done.summary;
    const inTurn = () => this.#metas.whileChanging(folder, 'collection', task, news);
    return (await this.#lanes.of(folder).collection.run(inTurn)).answer;
  }

  async #media(message: Message): Promise<Answer> {
    const { folder } = message;
    return this.inMediaLane(folder, async () => {
      this.ending.admit(message);
      const { answer } = await this.#pool.threadOf(folder.user).call('answerMedia', message, buffersOf(message));
      return answer;
    });
  }

  /** The file is checked before the lane is taken: other requests of the user go on meanwhile. */
  async #upload(message: Message): Promise<Answer> {
    const { folder, payload } = message;
    if (payload.kind !== 'file') throw new Error('An upload must have been spooled to a file');
    try {
      const verdict = await this.#pool.checkUpload(payload.path, payload.byteLength);
      const upload = { ...verdict, path: payload.path };
      if (verdict.kind === 'accepted' && verdict.dropped.length > 0) {
        this.#log.warn(
          { user: folder.user, dropped: verdict.dropped },
          'Dropped from an upload what Anki does not make',
        );
      }
      return await this.inCollectionLane(folder, async () => {
        this.ending.admit(message);
        this.#metas.takeTold(message); // Nobody's news to the device that brings it.
        if (upload.kind === 'accepted') await this.closeInLane(folder);
        const { text, kept } = await this.#pool.threadOf(folder.user).call('acceptUpload', { folder, upload });
        if (kept !== undefined) this.safekeeping.kept(folder, kept);
        if (text === uploadDone) this.safekeeping.changed(folder);
        const report = reportOfUpload(upload, text, payload.byteLength);
        return { kind: 'bytes', bytes: Buffer.from(text), report };
      });
    } finally {
      await rm(payload.path, { force: true });
    }
  }

  async #download(message: Message): Promise<Answer> {
    const { folder, dress, sessionKey } = message;
    return this.inCollectionLane(folder, async () => {
      this.ending.admit(message);
      this.#pool.warmUp('download'); // The check of the file has little time before the first byte leaves.
      this.#metas.takeTold(message); // What the device is told now is newer.
      const thread = this.#pool.threadOf(folder.user);
      const begun = await this.#prepared(folder, () => thread.call('beginDownload', { folder, sessionKey }));
      const { byteLength, counts } = begun;
      const answer =
        dress === 'modern' && byteLength !== undefined
          ? await this.#standingFile(folder, byteLength)
          : await this.#privateCopy(folder, byteLength !== undefined, dress === 'legacy');
      const { notes, cards, revlog } = counts;
      return { ...answer, report: { collection: { notes, cards, reviews: revlog, bytes: answer.byteLength } } };
    });
  }

  /**
   * The stored file itself, which is checked while it is sent: the device does not take it before it has the last bytes,
   * and they wait for the check. Damage that shows at once, or was found before, is a clear answer instead.
   */
  async #standingFile(folder: UserFolder, byteLength: number): Promise<FileAnswer> {
    const soundness = this.#refuseIfDamaged(folder, folder.collection);
    soundness.catch(() => {}); // Heard by whoever sends the file.
    if (this.#lanes.of(folder).isSuspect) {
      await soundness.catch(async (error: unknown) => {
        await this.#endDownload(folder);
        throw error;
      });
    }
    const answer = { kind: 'file', path: folder.collection, byteLength, afterwards: 'release' } as const;
    return { ...answer, soundness, soundnessWaitMs: checkWaitMsMax };
  }

  /** The device throws its own collection away for this one, which stands still: `file` is it, or a copy. */
  async #refuseIfDamaged(folder: UserFolder, file: string): Promise<void> {
    const damage = await this.#pool.heavy('damageIn', { path: file });
    this.#lanes.of(folder).isSuspect = damage !== undefined;
    if (damage === undefined) return;
    this.#log.error(
      { user: folder.user, path: folder.collection, damage },
      `The stored collection is damaged; see anki-sync-server verify ${folder.user}`,
    );
    throw new SyncError('serverFault', `Cannot send the collection ${folder.collection}, it is damaged: ${damage}`);
  }

  /** A copy for one download: of the main file when it stands still, else of the committed state. */
  async #privateCopy(folder: UserFolder, standsStill: boolean, asSchema11: boolean): Promise<FileAnswer> {
    await mkdir(folder.incoming, { recursive: true });
    const copy = path.join(folder.incoming, `download-${randomUUID()}.anki2`);
    try {
      if (standsStill) {
        await copyFile(folder.collection, copy, constants.COPYFILE_FICLONE).finally(() => this.#endDownload(folder));
      } else {
        const { isWorkingForm } = await this.#pool.threadOf(folder.user).call('copyTo', { folder, target: copy });
        if (isWorkingForm) await this.#pool.heavy('checkIn', { path: copy });
      }
      await this.#refuseIfDamaged(folder, copy);
      if (!asSchema11) return await fileAnswer(copy);
      const converted = path.join(folder.incoming, `download-${randomUUID()}.anki2`);
      await this.#pool.heavy('makeSchema11Snapshot', { source: copy, target: converted });
      await rm(copy, { force: true });
      return await fileAnswer(converted);
    } catch (error) {
      removeCollection(copy);
      if (error instanceof SyncError) throw error;
      const text = `Cannot copy ${folder.collection} for a download; see anki-sync-server verify ${folder.user}`;
      throw new SyncError('serverFault', text, { cause: error });
    }
  }

  /** Repeats a call after what it needs first was done. */
  async #prepared<Result>(
    folder: UserFolder,
    call: () => Promise<NeedsPreparation | Done<Result>>,
  ): Promise<Done<Result>> {
    let before: Preparation | undefined;
    for (;;) {
      const done = await call();
      if (done.kind === 'done') return done;
      const { preparation } = done;
      if (preparation === before) {
        throw new SyncError('serverFault', `Cannot open the collection: it still needs "${preparation}"`);
      }
      if (preparation === 'rescue') await this.#rescue(folder);
      else await this.#pool.heavy('prepare', { folder, preparation });
      before = preparation;
    }
  }

  /** Another program took the open file away. */
  async #rescue(folder: UserFolder): Promise<void> {
    const { kept } = await this.#pool.threadOf(folder.user).call('rescue', folder);
    if (kept !== undefined) this.safekeeping.kept(folder, kept);
  }

  /** Restores the canonical form as soon as the running request is answered. */
  #scheduleCheckIn(folder: UserFolder): void {
    void this.#lanes
      .of(folder)
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
    return this.#lanes.of(folder).collection.run(() => this.#metas.whileChanging(folder, 'collection', task));
  }

  inMediaLane<Result>(folder: UserFolder, task: () => Promise<Result>): Promise<Result> {
    return this.#lanes.of(folder).media.run(() => this.#metas.whileChanging(folder, 'media', task));
  }

  async copyCollection(folder: UserFolder, target: string): Promise<void> {
    while (!(await this.#copyUnlessStopped(folder, target))) removeCollection(target);
  }

  /** False when an upload came in between. */
  async #copyUnlessStopped(folder: UserFolder, target: string): Promise<boolean> {
    const { collection, copies } = this.#lanes.of(folder);
    const stop = new StopSign();
    await collection.run(async () => {
      await this.#prepared(folder, () => this.#pool.threadOf(folder.user).call('standStill', folder));
      copies.add(stop);
    });
    try {
      const argument = { source: folder.collection, target, stop: stop.memory };
      const isWhole = await this.#pool.heavy('copyCollection', argument);
      return isWhole && !stop.isSet; // It may have ended just before it saw the sign.
    } catch (error) {
      if (!stop.isSet) throw error;
      return false; // The file may have been replaced under it.
    } finally {
      if (copies.delete(stop)) await this.#endDownload(folder);
    }
  }

  async factsNow(folder: UserFolder): Promise<CollectionFacts> {
    return this.#lanes.of(folder).collection.run(async () => {
      const call = () => this.#pool.threadOf(folder.user).call('factsNow', folder);
      return (await this.#prepared(folder, call)).facts;
    });
  }

  /** The file is to be replaced, which it cannot be while another device still reads it. A backup can begin anew. */
  async closeInLane(folder: UserFolder): Promise<void> {
    const thread = this.#pool.threadOf(folder.user);
    const { copies } = this.#lanes.of(folder);
    for (const stop of copies) {
      stop.set();
      copies.delete(stop);
      await thread.call('endDownload', folder);
    }
    for (let waitedMs = 0; waitedMs <= downloadWaitMsMax; waitedMs += downloadPollMs) {
      if (await thread.call('close', folder)) return;
      await sleep(downloadPollMs);
    }
    throw new SyncError('syncConflict', 'Cannot replace the collection: another device is downloading it');
  }

  #report(folder: UserFolder, text: string, error: unknown): void {
    this.#log.error({ user: folder.user, reason: causesOf(error) }, text);
  }
}

/** The memory of a large payload, which is not needed here any more. */
function buffersOf({ payload }: Message): ArrayBuffer[] {
  return payload.kind === 'bytes' && hasOwnMemory(payload.bytes) ? [payload.bytes.buffer] : [];
}

async function fileAnswer(file: string): Promise<FileAnswer> {
  return { kind: 'file', path: file, byteLength: (await stat(file)).size, afterwards: 'delete' };
}
