/** Runs tasks one at a time, in the order in which they came. A task that fails does not stop the next one. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;
  #runningSinceMs: number | undefined;

  /** Tasks that are waiting or running. */
  get length(): number {
    return this.#length;
  }

  /** When the running task was begun, by `performance.now()`; undefined when none runs. */
  get runningSinceMs(): number | undefined {
    return this.#runningSinceMs;
  }

  /** Runs a task after all that came before it; resolves or fails as the task does. */
  run<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#length += 1;
    const timed = () => this.#timed(task);
    const result = this.#last.then(timed, timed);
    this.#last = result;
    return result;
  }

  async #timed<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#runningSinceMs = performance.now();
    try {
      return await task();
    } finally {
      this.#length -= 1;
      this.#runningSinceMs = undefined;
    }
  }
}
