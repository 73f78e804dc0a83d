/** How many bytes of a file may be compressed before its receiver takes them. */
export interface Ahead extends Disposable {
  readonly bytes: number;
}

/**
 * Room in memory for what is compressed ahead of its receivers. The first few get much, since a common collection is then
 * ready as a whole when its check is; when many download at once the others get a piece each, and the memory stays flat.
 */
export class AheadRoom {
  readonly #bytesMuch: number;
  readonly #bytesLittle: number;
  #left: number;

  constructor({ places, bytesMuch, bytesLittle }: { places: number; bytesMuch: number; bytesLittle: number }) {
    this.#left = places;
    this.#bytesMuch = bytesMuch;
    this.#bytesLittle = bytesLittle;
  }

  /** Room for one receiver, until it is disposed of. */
  take(): Ahead {
    const places = Math.min(this.#left, 1);
    this.#left -= places;
    return {
      bytes: places > 0 ? this.#bytesMuch : this.#bytesLittle,
      [Symbol.dispose]: () => {
        this.#left += places;
      },
    };
  }
}
