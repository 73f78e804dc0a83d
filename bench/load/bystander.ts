import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { CollectionFacts } from '../data/collections.ts';

export const metaKind = 'meta';
export const emptySyncKind = 'empty sync';
export type BystanderKind = typeof metaKind | typeof emptySyncKind;

/** What a bystander is told. */
export interface BystanderOrder {
  readonly port: number;
  readonly hostKey: string;
  readonly kind: BystanderKind;
  readonly facts: CollectionFacts;
  /** Between an answer and the next question, milliseconds. */
  readonly pauseMs: number;
}

/** What it tells at the end: how long each answer took, milliseconds. */
export interface BystanderReport {
  readonly delaysMs: readonly number[];
}

/** Another user while somebody works hard; a process of its own, so that the work of the load does not delay its clock. */
export class Bystander {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  static async start(order: BystanderOrder): Promise<Bystander> {
    const child = fork(path.join(import.meta.dirname, 'bystander-process.ts'), [JSON.stringify(order)]);
    const failed = once(child, 'exit').then(() => Promise.reject(new Error('The bystander ended')));
    await Promise.race([once(child, 'message'), failed]);
    failed.catch(() => {}); // Told by `end`.
    return new Bystander(child);
  }

  /** Stops it. Throws when one of its answers was wrong. */
  async end(): Promise<readonly number[]> {
    if (!this.#process.connected) throw new Error('The bystander failed; see its message above');
    const exited = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`The bystander ended with ${String(code)}`);
    });
    exited.catch(() => {});
    this.#process.send('stop');
    const [report] = (await Promise.race([once(this.#process, 'message'), exited])) as [BystanderReport];
    return report.delaysMs;
  }
}
