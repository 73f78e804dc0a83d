import type { CollectionFacts } from '../../collection/stored-file.ts';
import type { CareCalls, ListedBackup, UserBackups } from '../../lanes/care-calls.ts';
import { sizeText, tableLines, timeText } from './table.ts';

const HEAD = ['BACKUP', 'TIME', 'NOTES', 'CARDS', 'REVIEWS', 'LAST REVIEW', 'SIZE'];

/** `backups [user]`: lists what can be restored, oldest first, with the difference to the collection as it is. */
export async function backupsCommand(care: CareCalls, user: string | undefined): Promise<0> {
  const lists = await care.listBackups(user === undefined ? {} : { user });
  console.log(lists.map((list) => listText(list)).join('\n\n') || 'There are no users yet.');
  return 0;
}

/** The list of one user's backups. */
export function listText({ user, now, backups }: UserBackups): string {
  const title = `${user}: ${now === undefined ? 'no collection that can be read' : countsText(now)}`;
  if (backups.length === 0) return `${title}\n  no backups`;
  const rows = [HEAD, ...backups.map((backup) => rowOf(backup, now))];
  return [title, ...tableLines(rows, [2, 3, 4, 6]).map((line) => `  ${line}`)].join('\n');
}

/** `39 notes, 47 cards, 45 reviews, the last one at …` */
export function countsText({ notes, cards, reviews, lastReviewMs }: CollectionFacts): string {
  const counts = `${notes} notes, ${cards} cards, ${reviews} reviews`;
  return lastReviewMs === null ? counts : `${counts}, the last one at ${timeText(lastReviewMs)}`;
}

function rowOf({ id, atMs, form, bytes, facts }: ListedBackup, now: CollectionFacts | undefined): string[] {
  const start = [id, timeText(atMs)];
  if (facts === undefined) {
    return [...start, form === 'damaged' ? 'damaged, set aside' : 'cannot be read', '', '', '', sizeText(bytes)];
  }
  const counts = (['notes', 'cards', 'reviews'] as const).map((kind) => countText(facts[kind], now?.[kind]));
  const lastReview = facts.lastReviewMs === null ? 'none' : timeText(facts.lastReviewMs);
  return [...start, ...counts, lastReview, sizeText(bytes)];
}

/** `39 (+3)`: restoring it would bring three more than there are now. */
function countText(count: number, now: number | undefined): string {
  if (now === undefined || now === count) return String(count);
  return `${count} (${count > now ? '+' : ''}${count - now})`;
}
