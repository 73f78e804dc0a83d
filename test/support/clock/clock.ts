import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { clockLibrary } from './clock-library.ts';

/** Days begin at 4 in the morning here, as for a user in London in winter, whatever zone the machine is in. */
const defaultZone = 'UTC';

/**
 * A wall clock that a test holds in its hand. Every process started with `environment` sees this time, and nothing but
 * this time, through `clock_gettime`, `gettimeofday` and `time`; monotonic clocks go on, so timeouts still fire. It starts
 * frozen. The test's own process keeps the real time.
 */
export class Clock implements Disposable {
  /** To be merged into the environment of each child process that shall obey. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #file: number;
  #nowMs: number;

  /** `zone` is a name for TZ. Fails with the reason when this machine cannot have a clock; see `skipWithoutClock()`. */
  constructor(startMs: number, zone: string = defaultZone) {
    const library = clockLibrary();
    this.#folder = mkdtempSync(path.join(tmpdir(), 'clock-'));
    const file = path.join(this.#folder, 'now');
    this.#file = openSync(file, 'w');
    this.environment = { LD_PRELOAD: library, TEST_CLOCK_FILE: file, TEST_CLOCK_ZONE: zone };
    this.#nowMs = startMs;
    this.set(startMs);
  }

  /** What frozen processes see, epoch milliseconds. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Freezes the clock at this time, epoch milliseconds. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#write(BigInt(nowMs) * 1_000_000n, 0n);
  }

  /** Freezes the clock this much later than it was last set, milliseconds. */
  advance(byMs: number): void {
    this.set(this.#nowMs + byMs);
  }

  /** Lets the clock run on from where it stands. `nowMs` keeps the value at which it was let go. */
  run(): void {
    this.#write(0n, BigInt(this.#nowMs - Date.now()) * 1_000_000n);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
    rmSync(this.#folder, { recursive: true });
  }

  /** The layout is described in clock.c. One write, so that readers never see half of a change for long. */
  #write(frozenNs: bigint, shiftNs: bigint): void {
    writeSync(this.#file, new BigInt64Array([frozenNs, shiftNs]), 0, 16, 0);
  }
}
