/** Tables that grow with what is studied, the smallest first. */
export const BIG_TABLES: readonly string[] = ['notes', 'cards', 'revlog'];

/** What has become of a table. */
const STATE = { open: 0, taken: 1, sound: 2, doubtful: 3 } as const;

/**
 * The indexes of the big tables of one upload, as work for two threads: whoever is free takes the next table. The one that
 * decides about the upload never waits for work that has not begun, so the other may come late or not at all.
 */
export class SharedIndexCheck {
  readonly #states: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(BIG_TABLES.length * Int32Array.BYTES_PER_ELEMENT)) {
    this.#states = new Int32Array(memory);
  }

  /** For the constructor in the other thread. */
  get memory(): SharedArrayBuffer {
    return this.#states.buffer as SharedArrayBuffer;
  }

  /** May the caller check this table? True for one of all who ask. Tables that are not shared belong to whoever asks. */
  take(table: string): boolean {
    const at = BIG_TABLES.indexOf(table.toLowerCase());
    return at === -1 || Atomics.compareExchange(this.#states, at, STATE.open, STATE.taken) === STATE.open;
  }

  /** The outcome for a table that the caller has taken. */
  tell(table: string, isSound: boolean): void {
    const at = BIG_TABLES.indexOf(table.toLowerCase());
    Atomics.store(this.#states, at, isSound ? STATE.sound : STATE.doubtful);
    Atomics.notify(this.#states, at);
  }

  /** Waits for the outcome of a table that another thread has taken: false if it has to be looked at again. */
  isSound(table: string): boolean {
    const at = BIG_TABLES.indexOf(table.toLowerCase());
    Atomics.wait(this.#states, at, STATE.taken);
    return Atomics.load(this.#states, at) === STATE.sound;
  }

  /** Of what was taken and not told nothing will ever be heard: the other thread has died. */
  giveUp(): void {
    for (const [at] of BIG_TABLES.entries()) {
      Atomics.compareExchange(this.#states, at, STATE.taken, STATE.doubtful);
      Atomics.notify(this.#states, at);
    }
  }
}
