import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { SyncError } from '../errors.ts';
import { mediaFileBytesMax } from '../limits.ts';
import type { Log } from '../log.ts';
import { assertReadable, damageFoundBy } from '../storage/sqlite-damage.ts';
import type { UserFolder } from '../user-folder.ts';
import { codeOf, syncFile, syncFolder } from './durable-files.ts';
import { contentOf } from './file-content.ts';
import { MediaDb, type MediaEntry } from './media-db.ts';
import { parseMediaName } from './media-name.ts';
import { trashRoot } from './media-trash.ts';

/** What SQLite may leave beside its file. */
const COMPANIONS = ['-wal', '-journal', '-shm'] as const;

/** A file that was on its way when a crash came: see `moveOver`. */
const UNFINISHED = /^\.[0-9a-f-]{36}\.part$/;

/**
 * The counter of an index that is made anew: tens of seconds since 1970, which is beyond whatever a counter of single changes
 * had reached, also if this happens again. Devices that were ahead of it would miss changes. Clients hold it in 31 bits,
 * which lasts until the year 2650.
 */
export function counterOfNewIndex(nowMs: number): number {
  return Math.floor(nowMs / 10_000);
}

/**
 * Opens the media index. One that is lost (missing or empty, although there are files) or damaged is made anew from the
 * files, so that nothing is lost and nothing needs to be sent again; what is left of it stays under another name. Only
 * deletions are forgotten: a device that missed one keeps its file and sends it again. `isSuspect`: look closely at one
 * that opens, because a statement on it found damage.
 */
export async function openIndex(
  folder: UserFolder,
  log: Log,
  { nowMs, isSuspect = false }: { readonly nowMs: number; readonly isSuspect?: boolean },
): Promise<MediaDb> {
  const loss = (await lossOf(folder)) ?? lookTwice(folder, isSuspect);
  if (typeof loss === 'object') return loss;
  const aside = await setAside(folder.mediaDb, new Date(nowMs));
  const files = await rebuild(folder, nowMs);
  log.error(
    { user: folder.user, path: folder.mediaDb, damage: loss, aside, files },
    `The media index was lost or damaged and has been made anew from the files; see anki-sync-server verify ${folder.user}`,
  );
  return new MediaDb(folder.mediaDb);
}

/** Paths of indexes that were set aside, which nobody needs any more once the media are well. */
export async function indexesSetAside(folder: UserFolder): Promise<string[]> {
  const beginning = `${path.basename(folder.mediaDb)}.damaged-`;
  const names = await namesIn(folder.root);
  return names.filter((name) => name.startsWith(beginning)).map((name) => path.join(folder.root, name));
}

/** Is an index lost that must have been there? Nobody has it open. */
async function lossOf(folder: UserFolder): Promise<string | undefined> {
  const bytes = statSync(folder.mediaDb, { throwIfNoEntry: false })?.size;
  if (bytes !== undefined && bytes > 0) return undefined;
  // A new user, or one whose first message was cut off.
  const wasUsed = (await namesIn(folder.media)).length > 0 || existsSync(trashRoot(folder.root));
  if (!wasUsed) return undefined;
  return bytes === undefined ? 'it is missing' : 'it is an empty file';
}

/** The disk may be at fault, and the index may be fine. */
function lookTwice(folder: UserFolder, isSuspect: boolean): MediaDb | string {
  const first = damageOf(folder, isSuspect);
  if (typeof first === 'object') return first;
  assertReadable(folder.mediaDb);
  return damageOf(folder, isSuspect);
}

/** The opened index, or what is wrong with it. */
function damageOf(folder: UserFolder, isSuspect: boolean): MediaDb | string {
  let db: MediaDb | undefined;
  try {
    db = new MediaDb(folder.mediaDb);
    const damage = isSuspect ? db.damage() : undefined;
    if (damage === undefined) return db;
    db[Symbol.dispose]();
    return damage;
  } catch (error) {
    db?.[Symbol.dispose]();
    const damage = damageFoundBy(error);
    if (damage === undefined) throw error;
    return damage;
  }
}

/** Gives what is left of an index another name; undefined when there is nothing. */
async function setAside(file: string, at: Date): Promise<string | undefined> {
  const aside = `${file}.damaged-${at.toISOString().replaceAll(':', '')}`;
  let isAny = false;
  // The log goes last: SQLite would take it for that of another file in its place.
  for (const suffix of ['', ...COMPANIONS]) {
    try {
      await rename(file + suffix, aside + suffix);
      isAny = true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
  if (isAny) await syncFolder(path.dirname(file));
  return isAny ? aside : undefined;
}

/** Makes an index that says what the files are. Returns their number. */
async function rebuild(folder: UserFolder, nowMs: number): Promise<number> {
  await mkdir(folder.incoming, { recursive: true });
  const draft = path.join(folder.incoming, `media-index-${randomUUID()}`);
  try {
    const usnBefore = counterOfNewIndex(nowMs);
    const entries = await entriesOf(folder.media, usnBefore);
    {
      using db = new MediaDb(draft);
      db.save({ usnBefore: db.lastUsn, usnAfter: usnBefore + entries.size, entries });
    }
    await syncFile(draft);
    await rename(draft, folder.mediaDb);
    await syncFolder(folder.root);
    return entries.size;
  } catch (error) {
    for (const suffix of ['', ...COMPANIONS]) await rm(draft + suffix, { force: true });
    throw error instanceof SyncError
      ? error
      : new SyncError('serverFault', `Cannot make the media index ${folder.mediaDb} anew`, { cause: error });
  }
}

async function entriesOf(media: string, usnBefore: number): Promise<Map<string, MediaEntry>> {
  const entries = new Map<string, MediaEntry>();
  for (const name of (await namesIn(media)).sort()) {
    if (parseMediaName(name).kind !== 'name' || UNFINISHED.test(name)) continue;
    const file = path.join(media, name);
    const content = await contentOf(file);
    if (content === undefined || content.size === 0 || content.size > mediaFileBytesMax) continue;
    const mtimeSecs = Math.floor((await stat(file)).mtimeMs / 1000);
    entries.set(name, { ...content, usn: usnBefore + entries.size + 1, mtimeSecs });
  }
  return entries;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
