import { foldName } from '../text/unicase.ts';
import { FormatError } from './format-error.ts';

/** Throws `FormatError` if two names are equal by `unicase`, which Anki's unique indexes forbid. */
export function assertNamesDiffer(items: readonly { readonly name: string }[], what: string): void {
  const seen = new Set<string>();
  for (const { name } of items) {
    const folded = foldName(name);
    if (seen.has(folded)) throw new FormatError(`Two ${what} are called "${name}"`);
    seen.add(folded);
  }
}
