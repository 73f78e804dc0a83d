import { Worker } from 'node:worker_threads';
import type { Log } from '../log.ts';
import { type CallMap, fromFailure, type WorkerPost } from './thread-calls.ts';
import type { TellWorkEvent } from './work-event.ts';
import type { WorkerScript } from './worker-script.ts';

/**
 * Room for short-lived objects in each thread, MiB. V8's default grows to many times that and never shrinks, which costs
 * more memory here than it saves time.
 */
const maxYoungGenerationSizeMb = 6;

interface PendingCall {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** In the main thread: one worker thread and the calls that it offers. The thread starts with the first call. */
export class ThreadClient<Calls extends CallMap<Calls>> {
  readonly #script: WorkerScript;
  readonly #workerData: () => unknown;
  readonly #log: Log;
  readonly #tell: TellWorkEvent;
  readonly #pending = new Map<number, PendingCall>();
  #worker: Worker | undefined;
  #lastId = 0;

  /** `workerData` is asked for whenever the thread starts. */
  constructor(script: WorkerScript, workerData: () => unknown, log: Log, tell: TellWorkEvent = () => {}) {
    this.#script = script;
    this.#workerData = workerData;
    this.#log = log;
    this.#tell = tell;
  }

  /** Calls that have no answer yet. */
  get pendingCalls(): number {
    return this.#pending.size;
  }

  /** Is the thread there? */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** Runs a method in the thread. Errors arrive with code, stack and cause. */
  call<Name extends keyof Calls & string>(
    name: Name,
    argument: Parameters<Calls[Name]>[0],
    transfer: ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const worker = this.#start();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      // The thread answers with the result of that method.
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject });
      try {
        worker.postMessage({ id, name, argument }, transfer);
      } catch (error) {
        this.#pending.delete(id);
        reject(error);
      }
    });
  }

  /** Ends the thread at once; calls without an answer fail. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    // Before anything is awaited: the next call starts another thread.
    this.#failAll(new Error('The thread was stopped'));
    await worker?.terminate();
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.#script.script, {
      ...this.#script.options,
      workerData: this.#workerData(),
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    worker.on('message', (post: WorkerPost) => this.#receive(post));
    worker.on('error', (error) => {
      this.#log.error({ err: error, script: this.#script.name }, 'A worker thread died; its users start again');
      this.#tell({ kind: 'thread died' });
      if (this.#worker === worker) this.#worker = undefined;
      this.#failAll(error instanceof Error ? error : new Error(String(error)));
    });
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#failAll(new Error('The thread ended'));
    });
    this.#worker = worker;
    return worker;
  }

  #receive(post: WorkerPost): void {
    if (post.kind === 'log') {
      this.#log[post.level](post.fields, post.text);
      return;
    }
    if (post.kind === 'event') {
      this.#tell(post.event);
      return;
    }
    const call = this.#pending.get(post.id);
    this.#pending.delete(post.id);
    if (post.kind === 'result') call?.resolve(post.result);
    else call?.reject(fromFailure(post.failure));
  }

  #failAll(error: Error): void {
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of calls) call.reject(error);
  }
}
