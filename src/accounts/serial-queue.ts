/** Runs tasks one at a time, in the order in which they came. A task that fails does not stop the next one. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** Tasks that are waiting or running. */
  get length(): number {
    return this.#length;
  }

  /** Runs a task after all that came before it; resolves or fails as the task does. */
  run<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#length += 1;
    const result = this.#last.then(task).finally(() => {
      this.#length -= 1;
    });
    this.#last = result.catch(() => undefined);
    return result;
  }
}
