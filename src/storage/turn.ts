import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longest time that file work keeps a thread to itself, milliseconds; one step may take it beyond. */
const turnMsMax = 4;

/**
 * The turn of a message in a thread that it shares with other users. Steps on files that are in the system's cache take
 * microseconds, and a trip to Node's thread pool ten times as much; so they are taken at once. A disk may be slow, and a
 * batch has many of them: between two steps whoever works asks whether it is time to let others go on.
 */
export class Turn {
  #sinceMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#sinceMs > turnMsMax;
  }

  /** Everything else that waits in this thread goes first. */
  async next(): Promise<void> {
    await nextTurn();
    this.#sinceMs = performance.now();
  }
}
