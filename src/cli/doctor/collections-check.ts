import { existsSync } from 'node:fs';
import type { OwnerCalls } from '../../accounts/owner-calls.ts';
import { messageOf } from '../../errors.ts';
import { userFolder } from '../../user-folder.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What a quick look tells of one user's collection. */
export interface CollectionLook {
  readonly user: string;
  readonly hasFile: boolean;
  /** Undefined when the file could not be read. */
  readonly counts: { readonly notes: number; readonly cards: number; readonly reviews: number } | undefined;
  /** Epoch milliseconds of the newest backup; undefined without any. */
  readonly newestBackupMs: number | undefined;
  /** How many backups cannot be read. */
  readonly unreadableBackups: number;
}

export type CollectionsFacts =
  | { readonly kind: 'looked'; readonly users: readonly CollectionLook[] }
  | { readonly kind: 'failed'; readonly reason: string };

/** Opens every collection and backup; their pages are read by `verify` only. */
export async function gatherCollections(base: string, calls: OwnerCalls): Promise<CollectionsFacts> {
  try {
    const listed = await calls.care.listBackups({});
    const users = listed.map(({ user, now, backups }) => ({
      user,
      hasFile: existsSync(userFolder(base, user).collection),
      counts: now,
      newestBackupMs: backups.length === 0 ? undefined : Math.max(...backups.map(({ atMs }) => atMs)),
      unreadableBackups: backups.filter(({ facts }) => facts === undefined).length,
    }));
    return { kind: 'looked', users };
  } catch (error) {
    return { kind: 'failed', reason: messageOf(error) };
  }
}

/** Can all collections be read? */
export function judgeCollections(facts: CollectionsFacts): readonly Finding[] {
  if (facts.kind === 'failed') {
    return [
      warning(
        `the collections cannot be looked at: ${facts.reason}`,
        'Run the doctor as the account that runs the server.',
      ),
    ];
  }
  if (facts.users.length === 0) return [ok('there are no collections yet')];
  return facts.users.flatMap(judgeUser);
}

function judgeUser({ user, hasFile, counts, newestBackupMs, unreadableBackups }: CollectionLook): Finding[] {
  if (!hasFile) return [ok(`${user}: nothing has been uploaded yet`)];
  if (counts === undefined) {
    const remedy = `"anki-sync-server verify ${user}" tells more. A restore brings the newest backup back: "anki-sync-server restore ${user} latest".`;
    return [problem(`${user}: the collection cannot be read`, remedy)];
  }
  const { notes, cards, reviews } = counts;
  const backup =
    newestBackupMs === undefined ? 'no backup yet' : `newest backup ${new Date(newestBackupMs).toISOString()}`;
  const found = ok(`${user}: ${notes} notes, ${cards} cards, ${reviews} reviews; ${backup}`);
  if (unreadableBackups === 0) return [found];
  const text = `${user}: ${unreadableBackups} of the backups cannot be read`;
  return [found, warning(text, `"anki-sync-server verify ${user} --repair" sets damaged ones aside.`)];
}
