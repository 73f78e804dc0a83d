import { setTimeout as sleep } from 'node:timers/promises';
import { type CollectionSize, collectionOf, type MadeCollection } from './data/collections.ts';
import { Bystander, type BystanderKind, emptySyncKind, metaKind } from './load/bystander.ts';
import { quantile } from './load/statistics.ts';
import { SyncClient } from './load/sync-client.ts';
import { SyncDevice } from './load/sync-device.ts';
import type { Measure, Target, Unit } from './measures.ts';
import type { Amounts } from './options.ts';
import { type ServerCommands, type ServerKind, ServerProcess, type ServerSettings } from './servers/server-process.ts';

/** What a piece of work took. */
export interface Cost<Result> {
  readonly result: Result;
  readonly wallMs: number;
  /** Processor time of the server's processes, milliseconds. */
  readonly cpuMs: number;
  /** Highest resident size of the server's processes meanwhile, bytes. */
  readonly peakBytes: number;
}

/** Lines of a server's log that tell what went wrong. */
const lastLines = 12;

export const megabyte = 1_000_000;

/** Where a scenario runs: one server, and what it takes to load it. */
export class World {
  readonly kind: ServerKind;
  readonly amounts: Amounts;
  readonly measures: Measure[] = [];
  readonly #commands: ServerCommands;
  readonly #cacheFolder: string;
  /** Processor time of this process while work was measured, and the wall time of that, milliseconds. */
  ownCpuMs = 0;
  measuredMs = 0;
  /** Data folders that stay until the benchmark is over. */
  readonly keptFolders: string[] = [];
  #lastServer: ServerProcess | undefined;

  constructor(kind: ServerKind, amounts: Amounts, commands: ServerCommands, cacheFolder: string) {
    this.kind = kind;
    this.amounts = amounts;
    this.#commands = commands;
    this.#cacheFolder = cacheFolder;
  }

  async start(settings: ServerSettings): Promise<ServerProcess> {
    const server = await ServerProcess.start(this.kind, this.#commands, `${this.#cacheFolder}/work`, settings);
    this.#lastServer = server;
    if (settings.isKept) this.keptFolders.push(server.base);
    return server;
  }

  /** The last lines of the server that was started last: for what went wrong. */
  get lastWords(): string {
    return this.#lastServer?.log.trimEnd().split('\n').slice(-lastLines).join('\n') ?? '';
  }

  collection(size: CollectionSize): Promise<MadeCollection> {
    return collectionOf(size, `${this.#cacheFolder}/collections`);
  }

  note(work: string, what: string, unit: Unit, value: number, target?: Target): void {
    this.measures.push({ work, what, unit, value, ...(target === undefined ? {} : { target }) });
  }

  /** Does the work and tells what it took. */
  async cost<Result>(server: ServerProcess, work: () => Promise<Result>): Promise<Cost<Result>> {
    server.forgetPeak();
    const before = server.cost();
    const ownBefore = process.cpuUsage();
    const startedMs = performance.now();
    const result = await work();
    const wallMs = performance.now() - startedMs;
    const own = process.cpuUsage(ownBefore);
    this.ownCpuMs += (own.user + own.system) / 1000;
    this.measuredMs += wallMs;
    const after = server.cost();
    return { result, wallMs, cpuMs: after.cpuMs - before.cpuMs, peakBytes: after.peakBytes };
  }

  /** A device that knows the collection which was put into the account's folder, or a client of an account without one. */
  async device(server: ServerProcess, user: number, made: MadeCollection): Promise<SyncDevice> {
    return new SyncDevice(await this.client(server, user), made.facts);
  }

  client(server: ServerProcess, user: number): Promise<SyncClient> {
    return SyncClient.open(server.port, server.account(user).hostKey);
  }

  /**
   * Does the work while a second user asks `meta` and a third one syncs without changes, both of them all the time. Notes
   * how long the two had to wait. These users need collections of size tiny, at the given places.
   */
  async watched<Result>(
    options: {
      readonly server: ServerProcess;
      readonly meta: number;
      readonly emptySync: number;
      readonly title: string;
      readonly tiny: MadeCollection;
    },
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { server, title, tiny } = options;
    const order = (kind: BystanderKind, user: number, pauseMs: number) =>
      Bystander.start({ port: server.port, hostKey: server.account(user).hostKey, kind, facts: tiny.facts, pauseMs });
    const meta = await order(metaKind, options.meta, 5);
    const emptySync = await order(emptySyncKind, options.emptySync, 50);
    const startedMs = performance.now();
    const result = await work();
    // Short work gives too few answers for a p99: the bystanders then say less, and the table tells how many there were.
    await sleep(Math.max(0, 100 - (performance.now() - startedMs)));
    const [metaMs, emptyMs] = [await meta.end(), await emptySync.end()];
    const target = { valueMax: 10, ratioMax: 0.1 };
    this.note(`Another user's \`meta\` ${title}`, 'p99', 'ms', quantile(metaMs, 0.99), target);
    this.note(`Another user's \`meta\` ${title}`, 'longest', 'ms', Math.max(...metaMs));
    this.note(`Another user's empty sync ${title}`, 'p99', 'ms', quantile(emptyMs, 0.99), target);
    return result;
  }
}

/** A part of the benchmark. */
export interface Scenario {
  /** For `--only`. */
  readonly name: string;
  /** What it is about, for the list. */
  readonly title: string;
  /** Loads one server on fresh folders, checks every answer, and notes its measures. */
  run(world: World): Promise<void>;
}
