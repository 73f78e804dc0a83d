import type { LineSink } from './process-log.ts';

/** More than this is written at once, characters. */
const waitingCharsMax = 16 * 1024;

/**
 * Gathers the lines of one turn of the event loop and hands them over together, in their order: one write for the requests
 * of many clients takes hardly more time than for one, and no line is noticeably later than its answer. Whoever uses it calls `flush` at the
 * end of the process: only a process that is killed without being asked loses what waits.
 */
export class LineBuffer implements LineSink {
  readonly #target: LineSink;
  #waiting = '';
  #soon: NodeJS.Immediate | undefined;

  constructor(target: LineSink) {
    this.#target = target;
  }

  write(text: string): void {
    this.#waiting += text;
    if (this.#waiting.length > waitingCharsMax) this.flush();
    else this.#soon ??= setImmediate(() => this.flush());
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
