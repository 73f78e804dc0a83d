import { isNewsFor } from './merge.ts';
import type { SyncWork } from './sync-work.ts';
import { normalizeTagName } from './text/names.ts';

const levelSeparator = '::';

/** Names of the tags that the client has not seen. */
export function tagsSince(work: SyncWork, clientUsn: number): string[] {
  return work.sql
    .all('SELECT tag, usn FROM tags')
    .filter(([, usn]) => typeof usn === 'number' && isNewsFor(clientUsn, usn))
    .map(([tag]) => String(tag));
}

/** Adds a tag from a client, collapsed in the browser's tree as Anki does, unless there is one that differs by case only: its spelling and usn stay. */
export function registerTag(work: SyncWork, text: string): void {
  const tag = normalizeTagName(text);
  if (work.tagNames.ownerOf(tag) !== undefined) return;
  const spelled = withStoredAncestor(work, tag);
  work.changeNames();
  work.sql.run(
    'INSERT INTO tags (tag, usn, collapsed, config) VALUES (?, ?, 1, NULL)',
    spelled,
    work.session.serverUsn,
  );
  work.tagNames.set(spelled, spelled);
  work.tally.sent.tags += 1;
}

/** The tag with its nearest stored ancestor's spelling for the leading levels. */
function withStoredAncestor(work: SyncWork, tag: string): string {
  const levels = tag.split(levelSeparator);
  for (let depth = levels.length - 1; depth > 0; depth -= 1) {
    const ancestor = work.tagNames.spellingOf(levels.slice(0, depth).join(levelSeparator));
    if (ancestor === undefined) continue;
    return [...ancestor.split(levelSeparator).slice(0, depth), ...levels.slice(depth)].join(levelSeparator);
  }
  return tag;
}
