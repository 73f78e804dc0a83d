import { type CollectionFacts, readFacts } from '../collection/stored-file.ts';
import { messageOf } from '../errors.ts';
import type { UserFolder } from '../user-folder.ts';
import { readPackageFacts } from './colpkg.ts';
import { removeCollection } from './draft-files.ts';
import { prepareCopy } from './pack.ts';
import { prepareRestore } from './restore.ts';

/** What a check found. */
export type Checked =
  | { readonly kind: 'whole'; readonly facts: CollectionFacts }
  | { readonly kind: 'damaged'; readonly damage: string };

/** Checks all of a collection: SQLite's integrity, the order of names, every object. The copy is gone afterwards. */
export async function checkCopy(copy: string): Promise<Checked> {
  try {
    const damage = await prepareCopy(copy);
    return damage === undefined ? { kind: 'whole', facts: readFacts(copy) } : { kind: 'damaged', damage };
  } finally {
    removeCollection(copy);
  }
}

/** Checks that a backup could be restored now, and that its list of facts is true. */
export async function checkBackup(folder: UserFolder, backup: string): Promise<Checked> {
  const restorable = await prepareRestore(folder, backup);
  if (restorable.kind === 'damaged') return restorable;
  removeCollection(restorable.path);
  if (backup.endsWith('.colpkg')) {
    try {
      const told = await readPackageFacts(backup);
      const { notes, cards, reviews } = restorable.facts;
      if (told.notes !== notes || told.cards !== cards || told.reviews !== reviews) {
        return { kind: 'damaged', damage: 'its counts are not those of its collection' };
      }
    } catch (error) {
      return { kind: 'damaged', damage: messageOf(error) };
    }
  }
  return { kind: 'whole', facts: restorable.facts };
}
