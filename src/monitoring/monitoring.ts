import { statfs } from 'node:fs/promises';
import type { WorkState } from '../lanes/work-state.ts';
import type { Log } from '../log.ts';
import type { UserFolder } from '../user-folder.ts';
import type { TellWorkEvent } from '../worker/work-event.ts';
import type { Metrics } from './metrics.ts';
import { Readiness } from './readiness.ts';
import type { ObserveRequest } from './request-over.ts';
import { SyncJournal } from './sync-journal.ts';
import type { SyncOutcome } from './sync-outcome.ts';
import { KnownUserFacts, type ReadMediaTotals } from './user-facts.ts';

/** What is looked at when somebody asks. */
export interface MonitoredParts {
  readonly state: (answerMsMax: number) => Promise<WorkState>;
  readonly mediaTotals: ReadMediaTotals;
  /** Everybody who has an account, now. */
  readonly users: () => readonly UserFolder[];
  /** A folder of the server on the disk of the data. */
  readonly folder: string;
}

/** Whoever asks for metrics waits this long for the threads, milliseconds. */
const threadAnswerMsMax = 1_000;

/** Follows what the server does: a line in the log for every sync, readiness, and metrics if they are wanted. */
export class Monitoring {
  /** To be used in place of the log that was given: its lines are counted. */
  readonly log: Log;
  readonly #metrics: Metrics | undefined;
  readonly #journal: SyncJournal;
  readonly #lastSyncSecs = new Map<string, number>();
  #readiness: Readiness | undefined;
  #facts: KnownUserFacts | undefined;
  #parts: MonitoredParts | undefined;

  private constructor(log: Log, metrics: Metrics | undefined) {
    this.#metrics = metrics;
    this.log = metrics?.counting(log) ?? log;
    this.#journal = new SyncJournal(this.log, (outcome) => this.#syncOver(outcome));
  }

  /** The library for metrics is only loaded if they are wanted. `version` is that of the server. */
  static async start(options: {
    readonly wantsMetrics: boolean;
    readonly version: string;
    readonly log: Log;
  }): Promise<Monitoring> {
    if (!options.wantsMetrics) return new Monitoring(options.log, undefined);
    const { Metrics } = await import('./metrics.ts');
    return new Monitoring(options.log, new Metrics(options.version));
  }

  /** For the threads. */
  readonly tell: TellWorkEvent = (event) => {
    if (event.kind === 'sync ended') this.#journal.syncEnded(event);
    this.#metrics?.workEvent(event);
    if (event.kind === 'heavy job ended' && event.user !== undefined) this.#facts?.changed(event.user); // Such as a backup.
  };

  /** For the network. */
  readonly observeRequest: ObserveRequest = (over) => {
    this.#metrics?.requestOver(over);
    this.#journal.requestOver(over);
  };

  /** From now on readiness and metrics can be asked for. */
  watch(parts: MonitoredParts): void {
    const { folder, state, mediaTotals } = parts;
    this.#parts = parts;
    this.#readiness = new Readiness({ folder, state, log: this.log });
    this.#facts = new KnownUserFacts(mediaTotals);
  }

  /** Why the server cannot do its work, one sentence each. */
  async problems(): Promise<readonly string[]> {
    return this.#readiness?.problems() ?? ['The server is starting.'];
  }

  /** What Prometheus reads; undefined when metrics are not wanted. */
  get metrics(): { readonly contentType: string; readonly text: () => Promise<string> } | undefined {
    const metrics = this.#metrics;
    if (metrics === undefined) return undefined;
    return {
      contentType: metrics.contentType,
      text: async () => {
        if (this.#parts !== undefined) await this.#measure(metrics, this.#parts);
        return metrics.text();
      },
    };
  }

  /** The server is about to stop: not ready any more. */
  stopping(): void {
    this.#readiness?.stop();
  }

  /** The server has stopped. */
  close(): void {
    this.#journal.close();
    this.#metrics?.close();
  }

  #syncOver(outcome: SyncOutcome): void {
    const { user, kind, result } = outcome;
    this.#metrics?.syncOver(outcome);
    if (this.#metrics === undefined) return;
    this.#facts?.changed(user);
    if (result === 'done' && kind !== 'media') this.#lastSyncSecs.set(user, Date.now() / 1000);
  }

  /** Brings all gauges up to date. */
  async #measure(metrics: Metrics, { state, users, folder }: MonitoredParts): Promise<void> {
    const people = users();
    metrics.set('users', people.length);
    await Promise.all([
      this.problems().then((problems) => metrics.set('ready', problems.length === 0 ? 1 : 0)),
      state(threadAnswerMsMax).then((work) => measureWork(metrics, work)),
      measureDisk(metrics, folder),
      this.#measureUsers(metrics, people),
    ]);
  }

  async #measureUsers(metrics: Metrics, people: readonly UserFolder[]): Promise<void> {
    const all = (await this.#facts?.of(people)) ?? new Map();
    metrics.reset('lastSync', 'collectionBytes', 'mediaBytes', 'mediaStored', 'backups', 'backupBytes', 'newestBackup');
    const names = new Set(people.map(({ user }) => user));
    for (const user of this.#lastSyncSecs.keys()) if (!names.has(user)) this.#lastSyncSecs.delete(user);
    for (const { user } of people) {
      const facts = all.get(user);
      const fileSecs = facts?.collectionMtimeMs === undefined ? undefined : facts.collectionMtimeMs / 1000;
      const lastSecs = this.#lastSyncSecs.get(user) ?? fileSecs;
      if (lastSecs !== undefined) metrics.set('lastSync', lastSecs, { user });
      if (facts === undefined) continue;
      metrics.set('collectionBytes', facts.collectionBytes, { user });
      metrics.set('mediaBytes', facts.media.bytes, { user });
      metrics.set('mediaStored', facts.media.files, { user });
      metrics.set('backups', facts.backups, { user });
      metrics.set('backupBytes', facts.backupBytes, { user });
      if (facts.newestBackupMs !== undefined) metrics.set('newestBackup', facts.newestBackupMs / 1000, { user });
    }
  }
}

function measureWork(metrics: Metrics, work: WorkState): void {
  const answering = work.threads.filter((counts) => counts !== undefined);
  metrics.set('activeLanes', work.activeLanes);
  metrics.set('waiting', work.waitingMessages);
  metrics.set('longest', work.longestMs / 1000);
  metrics.set('heavyRunning', work.heavyJobs);
  metrics.set('threads', answering.length, { state: 'answering' });
  metrics.set('threads', work.threads.length - answering.length, { state: 'stuck' });
  const sum = (count: (thread: (typeof answering)[number]) => number) =>
    answering.reduce((total, thread) => total + count(thread), 0);
  metrics.set(
    'openCollections',
    sum(({ collections }) => collections),
  );
  metrics.set(
    'openMedia',
    sum(({ mediaIndexes }) => mediaIndexes),
  );
  metrics.set(
    'openSyncs',
    sum(({ syncs }) => syncs),
  );
}

/** A disk that cannot be asked is told by the readiness. */
async function measureDisk(metrics: Metrics, folder: string): Promise<void> {
  const disk = await statfs(folder).catch(() => undefined);
  if (disk === undefined) return metrics.reset('diskFree', 'diskSize');
  metrics.set('diskFree', disk.bavail * disk.bsize);
  metrics.set('diskSize', disk.blocks * disk.bsize);
}
