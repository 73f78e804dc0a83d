import type { CollectionFacts } from '../collection/stored-file.ts';
import type { UploadCounts } from '../protocol/full-upload.ts';

/** Fewer lost objects than this are no accident worth a warning. */
const lostMin = 20;
/** Less than this share left of any kind of object is. */
const shareLeft = 0.5;

const KINDS = [
  ['notes', 'notes'],
  ['cards', 'cards'],
  ['reviews', 'revlog'],
] as const;

/**
 * Would an upload lose much? Then its numbers, `stored -> uploaded` for each kind of object: an empty or much older
 * collection has probably been sent in the wrong direction.
 */
export function lossOf(stored: CollectionFacts, uploaded: UploadCounts): Readonly<Record<string, string>> | undefined {
  const losesMuch = KINDS.some(
    ([before, after]) => stored[before] - uploaded[after] > lostMin && uploaded[after] < stored[before] * shareLeft,
  );
  if (!losesMuch) return undefined;
  return Object.fromEntries(KINDS.map(([before, after]) => [before, `${stored[before]} -> ${uploaded[after]}`]));
}

/** The command that brings a backup back, for a shell. */
export function restoreCommand(user: string, id: string): string {
  return `anki-sync-server restore ${shellWord(user)} ${id}`;
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
