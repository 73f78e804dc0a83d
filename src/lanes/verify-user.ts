import { existsSync, renameSync, statSync } from 'node:fs';
import { listBackups } from '../backup/backup-folder.ts';
import type { MediaDifferences } from '../backup/compare-media.ts';
import { draftPath, removeCollection } from '../backup/draft-files.ts';
import { messageOf } from '../errors.ts';
import { indexesSetAside } from '../media/rebuild-index.ts';
import type { UserFolder } from '../user-folder.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import type { UserVerified } from './care-calls.ts';
import type { LaneAccess } from './safekeeping.ts';

interface Parts {
  readonly lanes: LaneAccess;
  readonly pool: WorkerPool;
}

interface Findings {
  readonly problems: string[];
  readonly notes: string[];
}

/** So many names of one kind are told one by one. */
const namesToldMax = 20;

/**
 * Checks the collection, the backups, and the media index against the files. With `repair`: damaged backups get another
 * name; index entries whose file is missing or changed get it back from the trash or are forgotten, so that a device that
 * has the file sends it again; files that no entry knows go to the trash. Nothing is deleted.
 */
export async function verifyUser(folder: UserFolder, repair: boolean, parts: Parts): Promise<UserVerified> {
  const findings: Findings = { problems: [], notes: [] };
  await verifyCollection(folder, parts, findings);
  await verifyBackups(folder, repair, parts, findings);
  try {
    await verifyMedia(folder, repair, parts, findings);
    // Nothing depends on them, and they go by themselves: no problem, but good to know.
    tell(findings.notes, 'media-trash: cannot be brought back', await parts.pool.heavy('damageInTrash', folder));
  } catch (error) {
    findings.problems.push(`media: cannot be checked: ${messageOf(error)}`);
  }
  return { user: folder.user, ...findings };
}

async function verifyCollection(folder: UserFolder, { lanes, pool }: Parts, found: Findings): Promise<void> {
  if (!existsSync(folder.collection)) {
    const wasThere = listBackups(folder).some(({ form }) => form !== 'damaged');
    if (wasThere) found.problems.push(`collection: ${folder.collection} is missing. ${remedy(folder)}`);
    else found.notes.push('collection: none yet');
    return;
  }
  const copy = draftPath(folder, 'verify');
  try {
    await lanes.copyCollection(folder, copy);
    const checked = await pool.heavy('checkCopy', { copy });
    if (checked.kind === 'damaged') {
      found.problems.push(`collection: ${folder.collection} is damaged: ${checked.damage}. ${remedy(folder)}`);
    } else {
      const { notes, cards, reviews } = checked.facts;
      found.notes.push(`collection: whole, ${notes} notes, ${cards} cards, ${reviews} reviews`);
    }
  } catch (error) {
    found.problems.push(`collection: ${folder.collection} cannot be used: ${messageOf(error)}. ${remedy(folder)}`);
  } finally {
    removeCollection(copy);
  }
}

function remedy(folder: UserFolder): string {
  const newest = listBackups(folder).findLast(({ form }) => form !== 'damaged');
  return newest === undefined
    ? 'There is no backup; upload the collection from a device.'
    : `Restore a backup (the newest is ${newest.id}) or upload from a device: both keep what is in its place.`;
}

async function verifyBackups(folder: UserFolder, repair: boolean, { pool }: Parts, found: Findings): Promise<void> {
  let whole = 0;
  for (const { id, form, path: file } of listBackups(folder)) {
    if (form === 'damaged') {
      found.notes.push(`backups: ${file} is a damaged collection that was set aside`);
      continue;
    }
    const checked = await pool.heavy('checkBackup', { folder, backup: file });
    if (checked.kind === 'whole') {
      whole += 1;
      continue;
    }
    const aside = `${file}.damaged`;
    if (repair) renameSync(file, aside);
    const told = `backups: ${id} is damaged: ${checked.damage}`;
    if (repair) found.notes.push(`${told}; it is now called ${aside}`);
    else found.problems.push(told);
  }
  found.notes.push(`backups: ${whole} can be restored`);
}

async function verifyMedia(folder: UserFolder, repair: boolean, parts: Parts, found: Findings): Promise<void> {
  const isIndexed = (statSync(folder.mediaDb, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (!isIndexed && !existsSync(folder.media)) {
    found.notes.push('media: none yet');
    return;
  }
  const before = await indexesSetAside(folder);
  const { differences, files } = await differencesOf(folder, parts);
  const aside = (await indexesSetAside(folder)).filter((file) => !before.includes(file));
  const remade = `media: ${folder.mediaDb} was lost or damaged and has been made anew from the files`;
  if (aside.length > 0) (repair ? found.notes : found.problems).push(`${remade}; what was there is now ${aside[0]}`);
  else if (!isIndexed && files > 0) (repair ? found.notes : found.problems).push(remade);
  const { missing, changed, extra } = differences;
  if (missing.length + changed.length + extra.length === 0) {
    found.notes.push(`media: ${files} files, all as the index says`);
    return;
  }
  if (repair) {
    const { lanes, pool } = parts;
    const argument = { folder, bad: [...missing, ...changed], extra };
    const mended = await lanes.inMediaLane(folder, () => pool.threadOf(folder.user).call('repairMedia', argument));
    tell(found.notes, 'media: the file was missing or changed and came back from the trash', mended.restored);
    tell(
      found.notes,
      'media: the file was missing or changed; a device that has it will send it again',
      mended.forgotten,
    );
    tell(found.notes, 'media: no index entry, moved to the trash', mended.trashed);
    return;
  }
  tell(found.problems, 'media: missing', missing);
  tell(found.problems, 'media: changed by another program', changed);
  tell(found.problems, 'media: not in the index', extra);
}

/** Syncs go on meanwhile: what differs is looked at again, in the lane. */
async function differencesOf(
  folder: UserFolder,
  { lanes, pool }: Parts,
): Promise<{ differences: MediaDifferences; files: number }> {
  const thread = pool.threadOf(folder.user);
  const { files } = await lanes.inMediaLane(folder, () => thread.call('listMedia', folder));
  const seen = await pool.heavy('compareMedia', { folder, files });
  const suspects = new Set([...seen.missing, ...seen.changed, ...seen.extra]);
  if (suspects.size === 0) return { differences: seen, files: files.length };
  return lanes.inMediaLane(folder, async () => {
    const now = await thread.call('listMedia', folder);
    const again = now.files.filter(({ name }) => suspects.has(name));
    const differences = await pool.heavy('compareMedia', { folder, files: again });
    const names = new Set(now.files.map(({ name }) => name));
    const extra = differences.extra.filter((name) => suspects.has(name) && !names.has(name));
    return { differences: { ...differences, extra }, files: now.files.length };
  });
}

function tell(lines: string[], what: string, names: readonly string[]): void {
  for (const name of names.slice(0, namesToldMax)) lines.push(`${what}: ${JSON.stringify(name)}`);
  if (names.length > namesToldMax) lines.push(`${what}: ${names.length - namesToldMax} more`);
}
