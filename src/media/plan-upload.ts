import type { MediaEntry, Sha1Hex } from './media-db.ts';
import type { MediaName } from './media-name.ts';

/** Bytes that came for a name: hash and length. */
export interface Content {
  readonly sha1: Sha1Hex;
  /** Bytes; never 0, which would mean deleted. */
  readonly size: number;
}

/** One pair of an upload's `_meta`: new content for a name, or without content its deletion. */
export interface UploadedChange<C extends Content = Content> {
  readonly name: MediaName;
  readonly content: C | undefined;
}

/** What one pair does to the index. `unchanged`: the same bytes again; `absent`: deletion of what is not there. */
export type Effect = 'added' | 'replaced' | 'removed' | 'unchanged' | 'absent';

/** One pair with what it did, for the log. */
export interface PlannedStep {
  readonly name: MediaName;
  readonly effect: Effect;
  /** Of the content before, if there was any. */
  readonly oldSha1: Sha1Hex | undefined;
  readonly newSha1: Sha1Hex | undefined;
}

/** How a name ends up: its entry, and the bytes to put under it. Without content its file has to go. */
export interface PlannedFile<C extends Content = Content> {
  readonly entry: MediaEntry;
  readonly content: C | undefined;
}

export interface UploadPlan<C extends Content = Content> {
  readonly usnBefore: number;
  readonly usnAfter: number;
  readonly steps: readonly PlannedStep[];
  /** Only names that change, in the order of their first change. */
  readonly files: ReadonlyMap<MediaName, PlannedFile<C>>;
}

/** What does content (or without, a deletion) do to a name? The table of the protocol. */
export function effectOf(entry: MediaEntry | undefined, content: Content | undefined): Effect {
  const present = entry !== undefined && entry.size > 0;
  if (content === undefined) return present ? 'removed' : 'absent';
  if (!present) return 'added';
  return entry.sha1 === content.sha1 ? 'unchanged' : 'replaced';
}

/**
 * What the pairs of an upload do, one after the other: each change of a file raises the counter by one, also when the
 * same name comes again. `entryOf` is the index before the upload.
 */
export function planUpload<C extends Content>(
  changes: readonly UploadedChange<C>[],
  entryOf: (name: MediaName) => MediaEntry | undefined,
  state: { readonly lastUsn: number; readonly nowSecs: number },
): UploadPlan<C> {
  const files = new Map<MediaName, PlannedFile<C>>();
  const steps: PlannedStep[] = [];
  let usn = state.lastUsn;
  for (const { name, content } of changes) {
    const before = files.get(name)?.entry ?? entryOf(name);
    const effect = effectOf(before, content);
    const oldSha1 = before !== undefined && before.size > 0 ? before.sha1 : undefined;
    steps.push({ name, effect, oldSha1, newSha1: content?.sha1 });
    const after = entryAfter(effect, before, content);
    if (after === undefined) continue;
    usn += 1;
    files.set(name, { entry: { ...after, usn, mtimeSecs: state.nowSecs }, content });
  }
  return { usnBefore: state.lastUsn, usnAfter: usn, steps, files };
}

function entryAfter(effect: Effect, before: MediaEntry | undefined, content: Content | undefined): Content | undefined {
  switch (effect) {
    case 'added':
    case 'replaced':
      return content && { sha1: content.sha1, size: content.size };
    case 'removed':
      return before && { sha1: before.sha1, size: 0 };
    case 'unchanged':
    case 'absent':
      return undefined;
    default:
      return effect satisfies never;
  }
}
