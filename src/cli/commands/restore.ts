import { restoreCommand as undoCommand } from '../../backup/loss-warning.ts';
import type { CareCalls } from '../../lanes/care-calls.ts';
import { countsText } from './backups.ts';
import { trashRestoredText } from './trash.ts';

/** `restore <user> <backup> [--media]` */
export async function restoreCommand(care: CareCalls, wish: Parameters<CareCalls['restore']>[0]): Promise<0 | 1> {
  const { id, facts, kept, media } = await care.restore(wish);
  console.log(`Restored ${id}: ${countsText(facts)}.`);
  if (kept !== undefined) {
    console.log(`\nWhat it replaced is kept. This brings it back:\n  ${undoCommand(wish.user, kept)}`);
  }
  if (media !== undefined) console.log(`\n${trashRestoredText(media)}`);
  console.log(`
On each device, press the sync button. The device says that the collections differ and asks for the direction:
choose "Download from AnkiWeb" (on a phone: "AnkiWeb", or "Keep the server's"). "Upload" would undo the restore.
Reviews and changes of a device that it has not synced before are lost with the download; if a device has any that
matter, export its collection first.`);
  return media !== undefined && media.unreadable.length > 0 ? 1 : 0;
}
