import { argon2, createHash, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { SyncError } from '../errors.ts';
import { newArgon2idHash } from './new-hash.ts';
import type { PasswordHash } from './phc.ts';

/** What a user's password is compared with. */
export type StoredPassword =
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'hashed'; readonly hash: PasswordHash };

/** Hashes computed at once: they share the thread pool with files and compression. */
const hashesAtOnceMax = 2;
/** Logins that wait for their turn; more than this is not a family but an attack. */
const hashesWaitingMax = 100;

const pbkdf2Async = promisify(pbkdf2);
const argon2Async = promisify(argon2);

/** Compares passwords outside of every lane: hashing is slow on purpose, and nobody else waits for it. */
export class PasswordChecker {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Does `given` match? The time taken does not tell how much of it was right. */
  async matches(given: string, stored: StoredPassword): Promise<boolean> {
    // The official server hashes plain passwords too, slowly; both sides are in memory here, so that would protect nothing.
    if (stored.kind === 'plain') return timingSafeEqual(digest(given), digest(stored.text));
    return this.#inTurn(() => hashMatches(given, stored.hash));
  }

  /** A new hash of a password, as a PHC text. */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => newArgon2idHash(password));
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#turn();
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#waiting.length >= hashesWaitingMax) {
      throw new SyncError('serverFault', 'Cannot log in: too many logins at once');
    }
    if (this.#running >= hashesAtOnceMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
  }

  /** Hands the place on, so that nobody slips in between. */
  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

async function hashMatches(given: string, hash: PasswordHash): Promise<boolean> {
  switch (hash.kind) {
    case 'unusable':
      return false;
    case 'pbkdf2':
      return timingSafeEqual(
        await pbkdf2Async(given, hash.salt, hash.rounds, hash.hash.length, hash.digest),
        hash.hash,
      );
    case 'argon2id': {
      const computed = await argon2Async('argon2id', {
        message: given,
        nonce: hash.salt,
        parallelism: hash.lanes,
        tagLength: hash.hash.length,
        memory: hash.memoryKiB,
        passes: hash.passes,
      });
      return timingSafeEqual(computed, hash.hash);
    }
    default:
      return hash satisfies never;
  }
}

/** Makes texts of any length comparable in constant time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
