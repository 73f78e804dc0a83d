import type { Statements } from '../storage/exact-rows.ts';

const keptMax = 10_000;

interface Stamped<Fact> {
  readonly stamp: string;
  readonly fact: Fact;
}

/** Facts about collections by path, in a form that can be handed to another thread. */
export type KeptEntries<Fact> = readonly (readonly [path: string, kept: Stamped<Fact>])[];

/**
 * What was once read of collections, so that it need not be read again. It is valid as long as a collection bears the times
 * and usn that it had when it was noted, so one that another program changed is read anew.
 */
export class KeptFacts<Fact> {
  readonly #kept = new Map<string, Stamped<Fact>>();

  /** What was noted of the collection in the state that it has. */
  of(path: string, sql: Statements): Fact | undefined {
    const known = this.#kept.get(path);
    return known !== undefined && known.stamp === stampOf(sql) ? known.fact : undefined;
  }

  /** Notes a fact about a collection as committed. */
  keep(path: string, sql: Statements, fact: Fact): void {
    this.#set(path, { stamp: stampOf(sql), fact });
  }

  forget(path: string): void {
    this.#kept.delete(path);
  }

  /** Everything, for the thread that comes next. */
  entries(): KeptEntries<Fact> {
    return [...this.#kept];
  }

  /** Takes over what another thread has noted. */
  takeOver(entries: KeptEntries<Fact>): void {
    for (const [path, kept] of entries) this.#set(path, kept);
  }

  #set(path: string, kept: Stamped<Fact>): void {
    this.#kept.delete(path);
    this.#kept.set(path, kept);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > keptMax && oldest.done !== true) this.#kept.delete(oldest.value);
  }
}

/** The times and usn that tell one state of a collection from the others. */
function stampOf(sql: Statements): string {
  return String(sql.get('SELECT mod, scm, usn, ls FROM col'));
}
