import type { TrashRestored } from '../../backup/trashed-media.ts';
import type { CareCalls } from '../../lanes/care-calls.ts';
import { sizeText, tableLines, timeText } from './table.ts';

const HEAD = ['TIME', 'WHAT', 'SIZE', 'FILE'];
const namesShownMax = 20;

/** `trash <user> [--restore <name or time>]` */
export async function trashCommand(care: CareCalls, user: string, what: string | undefined): Promise<0 | 1> {
  if (what !== undefined) {
    const restored = await care.restoreTrash({ user, what });
    console.log(trashRestoredText(restored));
    return restored.unreadable.length > 0 ? 1 : 0;
  }
  const versions = await care.listTrash({ user });
  const rows = versions.map(({ atMs, fate, bytes, name }) => [timeText(atMs), fate, sizeText(bytes), name]);
  console.log(versions.length === 0 ? 'The trash is empty.' : tableLines([HEAD, ...rows], [2]).join('\n'));
  return 0;
}

/** What came back, and what that means for devices. */
export function trashRestoredText({ restored, unreadable }: TrashRestored): string {
  const lines =
    restored.length === 0
      ? ['No media files to bring back.']
      : [`Media files brought back: ${namesText(restored)}. Each device fetches them with its next media sync.`];
  if (unreadable.length > 0) lines.push(`In the trash, but missing or damaged there: ${namesText(unreadable)}.`);
  return lines.join('\n');
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, namesShownMax).join(', ');
  return names.length > namesShownMax ? `${shown} and ${names.length - namesShownMax} more` : shown;
}
