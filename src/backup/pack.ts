import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { COMPANIONS } from '../collection/companions.ts';
import { damageOf, hasCompanion, readFacts, takeInWal } from '../collection/stored-file.ts';
import { makeUpdateNotice } from '../collection/update-notice.ts';
import { prepareUpload } from '../collection/validate-upload.ts';
import { replaceFile, syncFolder } from '../storage/replace-file.ts';
import { assertReadable } from '../storage/sqlite-damage.ts';
import { copyUnlessStopped, StopSign } from '../storage/stoppable-copy.ts';
import type { UserFolder } from '../user-folder.ts';
import { backupsFolder, damagedFile, packedFile, pendingFile } from './backup-folder.ts';
import { unpackCollection, writePackage } from './colpkg.ts';
import { draftPath, removeCollection } from './draft-files.ts';

/** What became of a collection that was to be packed. */
export type Packing =
  | { readonly kind: 'packed'; readonly path: string; readonly bytes: number }
  /** It is no whole collection; `kept` is where it lies now, if it had a backup's name. */
  | { readonly kind: 'damaged'; readonly damage: string; readonly kept: string | undefined };

/**
 * Packs a private copy of a collection, of any schema and form and with what lies beside it, into the backup `id`. The
 * package is durable when this returns, and the copy is gone. The whole collection is checked on the way, so that damage
 * is noticed now and not when the backup is needed. For the heavy-work thread.
 */
export async function packCopy(folder: UserFolder, copy: string, id: string): Promise<Packing> {
  try {
    const damage = await prepareCopy(copy);
    if (damage !== undefined) return { kind: 'damaged', damage, kept: undefined };
    mkdirSync(backupsFolder(folder), { recursive: true });
    const target = packedFile(folder, id);
    const draft = `${target}.tmp`;
    rmSync(draft, { force: true });
    const content = {
      collection: copy,
      updateNotice: await updateNotice(folder),
      facts: readFacts(copy),
      at: new Date(),
    };
    await writePackage(content, draft);
    try {
      replaceFile(draft, target);
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
    syncFolder(folder.root); // The folder of the backups may be new.
    return { kind: 'packed', path: target, bytes: statSync(target).size };
  } finally {
    removeCollection(copy);
  }
}

/** Packs a pending backup. A damaged one stays as it is under a name that tells so. */
export async function packPending(folder: UserFolder, id: string): Promise<Packing> {
  const pending = pendingFile(folder, id);
  if (!existsSync(packedFile(folder, id))) {
    const copy = draftPath(folder, 'backup');
    copyCollection(pending, copy);
    const packing = await packCopy(folder, copy, id);
    if (packing.kind === 'damaged') {
      const kept = damagedFile(folder, id.replace(/[^.]+$/, 'damaged'));
      renameSync(pending, kept);
      syncFolder(backupsFolder(folder));
      return { ...packing, kept };
    }
  }
  rmSync(pending, { force: true });
  const target = packedFile(folder, id);
  return { kind: 'packed', path: target, bytes: statSync(target).size };
}

/**
 * Copies a collection file with what lies beside it. The file itself stands still; its `-wal` may grow meanwhile. False,
 * and without a trace, when it was stopped.
 */
export function copyCollection(source: string, target: string, stop = new StopSign()): boolean {
  let isWhole = false;
  try {
    const suffixes = ['', ...COMPANIONS].filter((suffix) => suffix === '' || existsSync(source + suffix));
    isWhole = suffixes.every((suffix) => copyUnlessStopped(source + suffix, target + suffix, stop));
    return isWhole;
  } finally {
    if (!isWhole) removeCollection(target);
  }
}

/** Unpacks a backup into a new file in `incoming`; returns its path. Throws when the backup is damaged. */
export async function unpackBackup(folder: UserFolder, backup: string): Promise<string> {
  const target = draftPath(folder, 'restore');
  if (backup.endsWith('.colpkg')) await unpackCollection(backup, target);
  else copyCollection(backup, target);
  return target;
}

/** Checks a copy and brings it into the one form in which collections are packed. Returns what is wrong with it. */
export async function prepareCopy(copy: string): Promise<string | undefined> {
  if (damageInLog(copy) !== undefined) {
    assertReadable(copy);
    const damage = damageInLog(copy);
    if (damage !== undefined) return damage;
  }
  const verdict = await prepareUpload(copy);
  return verdict.kind === 'refused' ? verdict.reason : undefined;
}

/** Moves what lies beside the copy into it, or says what keeps it from that. */
function damageInLog(copy: string): string | undefined {
  try {
    if (hasCompanion(copy)) takeInWal(copy);
    return undefined;
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw error;
    return damage;
  }
}

let notice: Buffer | undefined;

/** Made once per thread. */
async function updateNotice(folder: UserFolder): Promise<Buffer> {
  if (notice !== undefined) return notice;
  const [target, draft] = [draftPath(folder, 'notice'), draftPath(folder, 'notice')];
  try {
    await makeUpdateNotice(target, draft);
    notice = readFileSync(target);
    return notice;
  } finally {
    removeCollection(target);
    removeCollection(draft);
  }
}
