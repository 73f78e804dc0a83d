import type { Log, LogFields } from '../log.ts';

/** The same text is written once in this time, milliseconds: strangers can make any number of mistakes. */
const sameTextMs = 60_000;

/** Warnings that anybody on the network can cause. */
export class RareLog {
  readonly #log: Log;
  readonly #lastMs = new Map<string, number>();
  readonly #nowMs: () => number;

  /** `nowMs` is for tests. */
  constructor(log: Log, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Of `text` there are only a few, which the program knows beforehand. */
  warn(fields: LogFields, text: string): void {
    const nowMs = this.#nowMs();
    const lastMs = this.#lastMs.get(text);
    if (lastMs !== undefined && nowMs - lastMs < sameTextMs) return;
    this.#lastMs.set(text, nowMs);
    this.#log.warn(fields, text);
  }
}
