import type { LineSink } from './process-log.ts';

/** More than this is written at once, characters. */
const waitingCharsMax = 16 * 1024;

/**
 * Hands the first line of a moment over at once and gathers the others until the event loop has turned: a line is there when
 * its answer is, and one write for the requests of many clients takes hardly more time than for one. Whoever uses it calls
 * `flush` at the end of the process: only a process that is killed without being asked loses what waits.
 */
export class LineBuffer implements LineSink {
  readonly #target: LineSink;
  #waiting = '';
  #soon: NodeJS.Immediate | undefined;

  constructor(target: LineSink) {
    this.#target = target;
  }

  write(text: string): void {
    if (this.#soon === undefined) {
      this.#soon = setImmediate(() => this.flush());
      this.#target.write(text);
      return;
    }
    this.#waiting += text;
    if (this.#waiting.length > waitingCharsMax) this.flush();
  }

  /** Hands over what waits. */
  flush(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    const text = this.#waiting;
    this.#waiting = '';
    if (text !== '') this.#target.write(text);
  }
}
