const VARIABLE = /\b(?:SYNC|MAX_SYNC|PASSWORDS|RUST|TEST)_[A-Z][A-Z0-9_]*n?/g;

/** Settings named in a text. `SYNC_USER2` and `SYNC_USERn` stand for the same variable as `SYNC_USER1`. */
export function variablesIn(text: string): string[] {
  return [...text.matchAll(VARIABLE)].map(([name]) => name.replace(/^(SYNC_USER)(?:\d+|n)(?=$|_FILE$)/, '$11'));
}
