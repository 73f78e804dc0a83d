import { RateLimiterMemory } from 'rate-limiter-flexible';

export interface FailureCounterOptions {
  /** So many failures are let through. */
  readonly failuresMax: number;
  /** They are forgotten after this time, and one more closes the door for as long, seconds. */
  readonly windowSecs: number;
  /** So many keys are remembered; the one that was used longest ago is forgotten for a new one. */
  readonly keysMax: number;
}

/**
 * Counts failures by key in bounded memory. An attempt counts as failed from its beginning, and is given back when it
 * went well: otherwise any number of attempts at the same time would get through.
 */
export class FailureCounter {
  readonly #limiter: RateLimiterMemory;
  readonly #keysMax: number;
  /** Keys that the limiter has, the one used last at the end. */
  readonly #keys = new Set<string>();

  constructor({ failuresMax, windowSecs, keysMax }: FailureCounterOptions) {
    this.#limiter = new RateLimiterMemory({ points: failuresMax, duration: windowSecs, blockDuration: windowSecs });
    this.#keysMax = keysMax;
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  /** Begins an attempt. Returns how long the door stays closed, milliseconds; undefined when it is open. */
  async take(key: string): Promise<number | undefined> {
    await this.#remember(key);
    try {
      await this.#limiter.consume(key);
      return undefined;
    } catch (refusal) {
      if (refusal instanceof Error) throw refusal;
      return (refusal as { msBeforeNext: number }).msBeforeNext; // The documented shape of a refusal.
    }
  }

  /** The attempt was none that counts. */
  async giveBack(key: string): Promise<void> {
    if (this.#keys.has(key)) await this.#limiter.reward(key);
  }

  /** The limiter forgets by itself, but a million strangers may come within one window. */
  async #remember(key: string): Promise<void> {
    this.#keys.delete(key);
    this.#keys.add(key);
    if (this.#keys.size <= this.#keysMax) return;
    const [oldest] = this.#keys;
    if (oldest === undefined) return;
    this.#keys.delete(oldest);
    await this.#limiter.delete(oldest);
  }
}
