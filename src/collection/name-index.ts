import type { SqlRow } from '../storage/exact-rows.ts';
import { foldName } from './text/unicase.ts';

/** Who bears which name, by Anki's `unicase` rule. Kept in memory, since SQLite here cannot look names up. */
export class NameIndex {
  readonly #owners = new Map<string, { readonly id: string; readonly name: string }>();
  readonly #names = new Map<string, string>();

  /** From rows of (id, name). */
  static of(rows: readonly SqlRow[]): NameIndex {
    const index = new NameIndex();
    for (const [id, name] of rows) index.set(String(id), String(name));
    return index;
  }

  /** The id of the object with this name or one that counts as the same. */
  ownerOf(name: string): string | undefined {
    return this.#owners.get(foldName(name))?.id;
  }

  /** The stored spelling of a name. */
  spellingOf(name: string): string | undefined {
    return this.#owners.get(foldName(name))?.name;
  }

  /** The name of an object. */
  nameOf(id: string): string | undefined {
    return this.#names.get(id);
  }

  /** Gives an object its name, in place of the one that it had. */
  set(id: string, name: string): void {
    const previous = this.#names.get(id);
    if (previous !== undefined && this.ownerOf(previous) === id) this.#owners.delete(foldName(previous));
    this.#names.set(id, name);
    this.#owners.set(foldName(name), { id, name });
  }
}
