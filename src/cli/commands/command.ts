import type { OwnerCalls } from '../../accounts/owner-calls.ts';

/** Carries out what a command asks for: by the running server, or, when there is none, in this process. */
export type OwnerAccess = (
  work: (calls: OwnerCalls) => Promise<0 | 1>,
  options?: { readonly makesFolder?: boolean },
) => Promise<0 | 1>;

/** One command that works on the data folder, with the server running or not. */
export interface Command {
  /** One word, or two. */
  readonly name: string;
  readonly synopsis: string;
  readonly meaning: string;
  /** How many words may follow. */
  readonly words: { readonly min: number; readonly max: number };
  readonly options: Readonly<Record<string, { readonly type: 'boolean' | 'string' }>>;
  /** Returns the exit code. What must be asked of the person is asked before the data folder is touched. */
  run(owner: OwnerAccess, words: readonly string[], options: Readonly<Record<string, unknown>>): Promise<0 | 1>;
}
