import type { Random } from '../support/random.ts';

/** What parsers stumble over. */
const NASTY_TEXTS = [
  '',
  '\0',
  '\ufeff',
  '\ud800',
  '../../x',
  '__proto__',
  'constructor',
  'a'.repeat(300),
  'ä'.normalize('NFD'),
  '\x1f',
  "'; DROP TABLE col; --",
  '💥',
  'CON',
  '0',
  '-1',
  '1e999',
];
const NASTY_NUMBERS = [
  0,
  -0,
  -1,
  1,
  0.5,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  1e300,
  255,
  256,
  65536,
];
const NASTY_BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x22, 0x5b, 0x7b, 0x0a, 0x0d, 0x2d];

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Makes invalid and half-valid inputs of valid ones; the same ones for the same dice. */
export class Mutator {
  readonly #dice: Random;

  constructor(dice: Random) {
    this.#dice = dice;
  }

  /** Flips, cuts, repeats, mixes. */
  bytes(seed: Uint8Array, others: readonly Uint8Array[] = []): Buffer<ArrayBuffer> {
    let bytes = Buffer.from(seed);
    for (let count = this.#dice.integer(1, 4); count > 0; count--) bytes = this.#oneChange(bytes, others);
    return bytes;
  }

  #oneChange(bytes: Buffer<ArrayBuffer>, others: readonly Uint8Array[]): Buffer<ArrayBuffer> {
    const dice = this.#dice;
    const at = dice.integer(0, Math.max(0, bytes.length - 1));
    const end = Math.min(bytes.length, at + dice.integer(1, 32));
    const rest = bytes.subarray(end);
    switch (dice.integer(0, 6)) {
      case 0:
        if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.integer(0, 7));
        return bytes;
      case 1:
        if (bytes.length > 0) bytes[at] = dice.pick(NASTY_BYTES);
        return bytes;
      case 2:
        return Buffer.concat([bytes.subarray(0, at), rest]);
      case 3:
        return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
      case 4:
        return bytes.subarray(0, at);
      case 5:
        return Buffer.concat([bytes.subarray(0, at), Buffer.from(dice.pick(NASTY_TEXTS)), rest]);
      default: {
        const other = others.length > 0 ? dice.pick(others) : bytes;
        const from = dice.integer(0, Math.max(0, other.length - 1));
        return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + 64), rest]);
      }
    }
  }

  /** Changes one or a few members of a value, of any type and depth, and keeps the rest. */
  json(value: Json): Json {
    let changed = value;
    for (let count = this.#dice.integer(1, 3); count > 0; count--) changed = this.#oneMember(changed);
    return changed;
  }

  #oneMember(value: Json): Json {
    const dice = this.#dice;
    if (value !== null && typeof value === 'object' && dice.chance(0.85)) {
      if (Array.isArray(value)) return this.#oneElement(value);
      const names = Object.keys(value);
      const name = names.length > 0 ? dice.pick(names) : 'new';
      const members = Object.entries(value as Record<string, Json>);
      if (dice.chance(0.08)) return Object.fromEntries(members.filter(([each]) => each !== name));
      if (dice.chance(0.05)) return { ...(value as object), [dice.pick(NASTY_TEXTS)]: this.#leaf() };
      return Object.fromEntries(
        members.map(([each, member]) => [each, each === name ? this.#oneMember(member) : member]),
      );
    }
    return this.#leaf();
  }

  #oneElement(list: readonly Json[]): Json {
    const dice = this.#dice;
    const at = dice.integer(0, Math.max(0, list.length - 1));
    if (dice.chance(0.1)) return list.filter((_element, index) => index !== at);
    if (dice.chance(0.1)) return [...list, ...list.slice(at)];
    if (list.length === 0) return [this.#leaf()];
    return list.map((element, index) => (index === at ? this.#oneMember(element) : element));
  }

  #leaf(): Json {
    const dice = this.#dice;
    switch (dice.integer(0, 6)) {
      case 0:
        return null;
      case 1:
        return dice.chance(0.5);
      case 2:
      case 3:
        return dice.pick(NASTY_NUMBERS);
      case 4:
        return dice.chance(0.5) ? [] : [[[]]];
      case 5:
        return {};
      default:
        return dice.pick(NASTY_TEXTS);
    }
  }
}
