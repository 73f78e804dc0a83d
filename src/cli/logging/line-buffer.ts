import type { LineSink } from './process-log.ts';

/** An ordinary line waits this long for others, milliseconds: one write for all takes hardly more time than for one. */
const waitMsMax = 25;
/** More than this is written at once, characters. */
const waitingCharsMax = 16 * 1024;

/**
 * Gathers the lines of a short moment and hands them over together, in their order. Whoever uses it calls `flush` at the
 * end of the process: only a process that is killed without being asked loses what waits.
 */
export class LineBuffer implements LineSink {
  readonly #target: LineSink;
  #waiting = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(target: LineSink) {
    this.#target = target;
  }

  write(text: string): void {
    this.#waiting += text;
    if (this.#waiting.length > waitingCharsMax) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), waitMsMax);
  }

  /** Hands over what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#waiting;
    this.#waiting = '';
    if (text !== '') this.#target.write(text);
  }
}
