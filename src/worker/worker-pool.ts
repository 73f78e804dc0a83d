import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { SharedIndexCheck } from '../collection/shared-index-check.ts';
import type { UploadVerdict } from '../collection/validate-upload.ts';
import { MiB } from '../limits.ts';
import type { Log } from '../log.ts';
import type { CollectionCalls, CollectionWorkerData, Knowledge, OpenCounts } from './collection-calls.ts';
import type { HeavyCalls } from './heavy-worker.ts';
import { ThreadClient } from './thread-client.ts';
import type { TellWorkEvent } from './work-event.ts';
import { workerScript } from './worker-script.ts';

/** Threads that own collections: one per core, since more only take memory. */
const collectionThreadsMax = 4;
const collectionThreadsMin = 2;
/** Threads for work on whole files at a time: bounded by the disk rather than by cores. One upload may take two. */
const heavyThreadsMax = 3;
/** How often is looked for collection threads that have nothing open and may end, milliseconds. */
const idleCheckMs = 5_000;
/** A thread for heavy work ends after this long without any, milliseconds: its memory is worth more. */
const heavyIdleMsMax = 10_000;

/** A second thread takes some time to start and some memory: it helps with uploads from this size on, bytes. */
const sharedCheckBytesMin = 32 * MiB;

/** All worker threads. Each user stays with one collection thread; work on whole files goes where there is room. */
export class WorkerPool {
  readonly #collectionThreads: readonly ThreadClient<CollectionCalls>[];
  readonly #heavyThreads: readonly ThreadClient<HeavyCalls>[];
  readonly #threadOfUser = new Map<string, ThreadClient<CollectionCalls>>();
  readonly #tell: TellWorkEvent;
  /** What threads that have ended knew. */
  readonly #knowledge = new Map<ThreadClient<CollectionCalls>, Knowledge>();
  readonly #idleTimer: NodeJS.Timeout;
  /** Threads that get ready, which is no reason to take another one. */
  readonly #warming = new Set<ThreadClient<HeavyCalls>>();
  #heavyTimer: NodeJS.Timeout | undefined;

  constructor(data: CollectionWorkerData, log: Log, tell: TellWorkEvent = () => {}) {
    this.#tell = tell;
    const threads = Math.min(Math.max(availableParallelism(), collectionThreadsMin), collectionThreadsMax);
    const script = workerScript(new URL('./collection-worker.ts', import.meta.url));
    this.#collectionThreads = Array.from({ length: threads }, () => {
      const thread: ThreadClient<CollectionCalls> = new ThreadClient(
        script,
        () => this.#dataFor(thread, data),
        log,
        tell,
      );
      return thread;
    });
    const heavyScript = workerScript(new URL('./heavy-worker.ts', import.meta.url));
    this.#heavyThreads = Array.from(
      { length: heavyThreadsMax },
      () => new ThreadClient<HeavyCalls>(heavyScript, () => data, log, tell),
    );
    this.#idleTimer = setInterval(() => void this.#endIdleThreads(), idleCheckMs).unref();
  }

  /** The thread that owns a user. */
  threadOf(user: string): ThreadClient<CollectionCalls> {
    const known = this.#threadOfUser.get(user);
    if (known !== undefined) return known;
    const thread = this.#collectionThreads[this.#threadOfUser.size % this.#collectionThreads.length];
    if (thread === undefined) throw new Error('There is no thread for collections');
    this.#threadOfUser.set(user, thread);
    return thread;
  }

  /** Collection threads that have been started. */
  runningCollectionThreads(): ThreadClient<CollectionCalls>[] {
    return this.#collectionThreads.filter((thread) => thread.isRunning);
  }

  /** Work on whole files that runs or waits. */
  get heavyJobs(): number {
    return this.#heavyThreads.reduce((sum, thread) => sum + thread.pendingCalls, 0);
  }

  /** What each running collection thread has open; undefined for one that does not answer within `msMax`. */
  openCounts(msMax: number): Promise<(OpenCounts | undefined)[]> {
    return Promise.all(
      this.runningCollectionThreads().map(async (thread) => {
        const counts = thread.call('ping', undefined).catch(() => undefined);
        return Promise.race([counts, delay(msMax, undefined, { ref: false })]);
      }),
    );
  }

  /** Makes a thread ready for work on a file that is about to come or to go, if none is there. */
  warmUp(work: 'upload' | 'download'): void {
    const thread = this.#freestHeavyThread();
    if (thread.isRunning) return;
    clearTimeout(this.#heavyTimer);
    this.#warming.add(thread);
    const ready = thread.call('warmUp', { work }).finally(() => {
      this.#warming.delete(thread);
      this.#stopHeavyWhenIdle();
    });
    ready.catch(() => {}); // The work itself will say what is wrong.
  }

  /** Runs work on a whole file, in the thread with the least to do. */
  async heavy<Name extends Exclude<keyof HeavyCalls, 'warmUp'>>(
    name: Name,
    argument: Parameters<HeavyCalls[Name]>[0],
  ): Promise<Awaited<ReturnType<HeavyCalls[Name]>>> {
    clearTimeout(this.#heavyTimer);
    const thread = this.#freestHeavyThread();
    const startedMs = performance.now();
    let isDone = false;
    try {
      const result = await thread.call(name, argument);
      isDone = true;
      return result;
    } finally {
      const user = 'folder' in argument ? argument.folder.user : undefined;
      this.#tell({ kind: 'heavy job ended', job: name, elapsedMs: performance.now() - startedMs, isDone, user });
      this.#stopHeavyWhenIdle();
    }
  }

  /** Checks an uploaded file and makes it ready to be stored; two threads share the work on a large one. */
  checkUpload(file: string, byteLength: number): Promise<UploadVerdict> {
    if (byteLength < sharedCheckBytesMin || availableParallelism() === 1)
      return this.heavy('prepareUpload', { path: file });
    const shared = new SharedIndexCheck();
    const verdict = this.heavy('prepareUpload', { path: file, shared: shared.memory });
    const help = this.heavy('helpCheckIndexes', { path: file, shared: shared.memory });
    help.catch(() => shared.giveUp()); // The thread that decides then does it all.
    return verdict;
  }

  /** Ends all threads at once. */
  async stop(): Promise<void> {
    clearInterval(this.#idleTimer);
    clearTimeout(this.#heavyTimer);
    await Promise.all([...this.#collectionThreads, ...this.#heavyThreads].map((thread) => thread.stop()));
  }

  #dataFor(thread: ThreadClient<CollectionCalls>, data: CollectionWorkerData): CollectionWorkerData {
    const knowledge = this.#knowledge.get(thread);
    this.#knowledge.delete(thread);
    return { ...data, knowledge };
  }

  /** Gives the memory of threads back that nobody needs now; what they know goes to the next one. */
  async #endIdleThreads(): Promise<void> {
    for (const thread of this.runningCollectionThreads()) {
      if (thread.pendingCalls > 0) continue;
      const knowledge = await thread.call('knowledgeIfIdle', undefined).catch(() => undefined);
      // Somebody may have come while it answered.
      if (knowledge === undefined || thread.pendingCalls > 0) continue;
      this.#knowledge.set(thread, knowledge);
      await thread.stop();
      // V8 collects when it needs room, which it does not when nobody is there: it would hold all that it had in the rush.
      if (this.runningCollectionThreads().length === 0) globalThis.gc?.();
    }
  }

  #freestHeavyThread(): ThreadClient<HeavyCalls> {
    const workOf = (thread: ThreadClient<HeavyCalls>) => thread.pendingCalls - Number(this.#warming.has(thread));
    const [thread] = this.#heavyThreads.toSorted(
      (a, b) => workOf(a) - workOf(b) || Number(b.isRunning) - Number(a.isRunning),
    );
    if (thread === undefined) throw new Error('There is no thread for heavy work');
    return thread;
  }

  #stopHeavyWhenIdle(): void {
    clearTimeout(this.#heavyTimer);
    this.#heavyTimer = setTimeout(() => {
      for (const thread of this.#heavyThreads) if (thread.pendingCalls === 0) void thread.stop();
    }, heavyIdleMsMax).unref();
  }
}
