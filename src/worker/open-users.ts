import type { UserFolder } from '../user-folder.ts';

/** A user's files are closed after this long without a message, milliseconds. */
const idleMsMax = 10_000;
/**
 * So many users' files stay open in one thread, so that memory does not grow with the number of users: each takes about a
 * megabyte, also for a small collection.
 */
const openMax = 6;
/** Files that were used just now stay open beyond that number, milliseconds: many users may sync at the same time. */
const freshMs = 250;

interface Entry<Owned> {
  readonly owned: Owned;
  lastUsedMs: number;
}

/** The files of the users that a thread serves, opened when needed, closed when idle or when there are too many. */
export class OpenUsers<Owned> {
  readonly #entries = new Map<string, Entry<Owned>>();
  readonly #create: (folder: UserFolder) => Owned;
  readonly #isIdle: (owned: Owned) => boolean;
  readonly #close: (owned: Owned) => void | Promise<void>;
  /** Being closed, which may take a moment. */
  readonly #leaving = new Map<string, { readonly owned: Owned; readonly closed: Promise<void> }>();

  constructor(
    create: (folder: UserFolder) => Owned,
    isIdle: (owned: Owned) => boolean,
    close: (owned: Owned) => void | Promise<void>,
  ) {
    this.#create = create;
    this.#isIdle = isIdle;
    this.#close = close;
  }

  /** What belongs to this user. */
  of(folder: UserFolder): Owned {
    const known = this.#entries.get(folder.root);
    if (known === undefined) this.#closeStale();
    const entry = known ?? { owned: this.#comeBack(folder) ?? this.#create(folder), lastUsedMs: 0 };
    entry.lastUsedMs = performance.now();
    // Last used, last in order.
    this.#entries.delete(folder.root);
    this.#entries.set(folder.root, entry);
    return entry.owned;
  }

  /** Users whose files are open, or being closed. */
  get size(): number {
    return this.#entries.size + this.#leaving.size;
  }

  /** All that are open. */
  all(): Owned[] {
    return [...this.#entries.values()].map((entry) => entry.owned);
  }

  /** Makes room for one more. */
  #closeStale(): void {
    const staleMs = performance.now() - freshMs;
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size < openMax || entry.lastUsedMs > staleMs) break;
      if (!this.#isIdle(entry.owned)) continue;
      this.#release(key, entry.owned);
    }
  }

  /** Closes those that were not used for a while, and the least recently used ones beyond `openMax`. */
  closeIdle(): void {
    const nowMs = performance.now();
    let tooMany = this.#entries.size - openMax;
    for (const [key, entry] of this.#entries) {
      if (tooMany <= 0 && nowMs - entry.lastUsedMs < idleMsMax) break;
      if (!this.#isIdle(entry.owned)) continue;
      this.#release(key, entry.owned);
      tooMany -= 1;
    }
  }

  #release(key: string, owned: Owned): void {
    this.#entries.delete(key);
    const closed = Promise.resolve(this.#close(owned));
    const leaving = { owned, closed };
    this.#leaving.set(key, leaving);
    void closed.finally(() => {
      if (this.#leaving.get(key) === leaving) this.#leaving.delete(key);
    });
  }

  /** Who is still being closed knows for how long to wait before it opens again; another one would not. */
  #comeBack({ root }: UserFolder): Owned | undefined {
    const leaving = this.#leaving.get(root);
    this.#leaving.delete(root);
    return leaving?.owned;
  }

  /** Closes everything. */
  async closeAll(): Promise<void> {
    const leaving = [...this.#leaving.values()].map(({ closed }) => closed);
    await Promise.all([...leaving, ...this.all().map((owned) => this.#close(owned))]);
    this.#entries.clear();
  }
}
