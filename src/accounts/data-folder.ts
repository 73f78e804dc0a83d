import { accessSync, constants, existsSync, lstatSync, mkdirSync, rmSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../errors.ts';
import { FolderLock, isHeldElsewhere } from '../storage/folder-lock.ts';
import { syncFolder } from '../storage/replace-file.ts';
import { userFolder } from '../user-folder.ts';
import { foldedName, serverFolderName } from './user-name.ts';

/** The data folder, ours until it is released. */
export interface DataFolder {
  /** Where bytes of clients wait that have not said who they are. Empty at first. */
  readonly spool: string;
  readonly lock: FolderLock;
}

export type DataFolderClaim =
  | { readonly kind: 'claimed'; readonly folder: DataFolder }
  /** One line each, naming the variable and the remedy. Nothing was touched. */
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** A user of the settings, as far as folders are concerned. */
export interface NamedUser {
  readonly variable: string;
  readonly name: string;
}

/**
 * Takes the data folder into use: looks at everything first, then locks it, and only then makes the folders of new
 * users and throws away what an earlier process left on its way in or out.
 */
export function claimDataFolder(base: string, users: readonly NamedUser[]): DataFolderClaim {
  const problems = problemsOfDataFolder(base, users);
  if (problems.length > 0) return { kind: 'problems', problems };
  try {
    return lockAndPrepare(base, users);
  } catch (error) {
    return { kind: 'problems', problems: [`SYNC_BASE: cannot use ${base}: ${messageOf(error)}. ${writableRemedy}`] };
  }
}

const writableRemedy = 'Use a folder that this account may write, or change its owner.';
const heldRemedy = 'Stop that one first, or use another folder.';

/** Everything that can be told without touching anything. */
export function problemsOfDataFolder(base: string, users: readonly NamedUser[]): readonly string[] {
  const problem = problemOfBase(base);
  if (problem !== undefined) return [problem];
  const problems = problemsOfNames(base, users);
  for (const user of users) {
    const folderProblem = problemOfUserFolder(base, user);
    if (folderProblem !== undefined) problems.push(folderProblem);
  }
  return problems;
}

function problemOfBase(base: string): string | undefined {
  const existing = nearestExisting(base);
  if (!isFolder(existing)) return `SYNC_BASE: ${existing} is not a folder. Use another path.`;
  if (!isWritable(existing)) return `SYNC_BASE: ${existing} cannot be written. ${writableRemedy}`;
  const traces = ['prefs21.db', 'prefs.db', 'addons21', 'collection.anki2'];
  const trace = traces.find((name) => existsSync(path.join(base, name)));
  if (trace === undefined) return undefined;
  return `SYNC_BASE: ${base} looks like Anki's own folder (it has ${trace}), and the server must not share one with Anki. Use another folder.`;
}

/** Users whose folders would be one on this disk. */
function problemsOfNames(base: string, users: readonly NamedUser[]): string[] {
  if (!ignoresCase(nearestExisting(base))) return [];
  const problems: string[] = [];
  const seen = new Map<string, NamedUser>();
  for (const user of users) {
    const folded = foldedName(user.name);
    const namesake = seen.get(folded);
    if (namesake === undefined) seen.set(folded, user);
    else
      problems.push(`${user.variable} would share a folder with ${namesake.variable} on this disk. Use another name.`);
  }
  return problems;
}

function problemOfUserFolder(base: string, user: NamedUser): string | undefined {
  const folder = userFolder(base, user.name);
  if (!existsSync(folder.root)) return undefined;
  if (!isFolder(folder.root)) return `${user.variable}: ${folder.root} is not a folder. Use another name.`;
  if (!isWritable(folder.root)) return `${user.variable}: ${folder.root} cannot be written. ${writableRemedy}`;
  // What Anki itself keeps beside a collection; the server's media folder is called `media`.
  if (existsSync(path.join(folder.root, 'collection.media'))) {
    return `SYNC_BASE: ${folder.root} looks like a profile of Anki itself (it has collection.media), and the server must not share one with Anki. Use another folder.`;
  }
  if (isHeldElsewhere(folder.mediaDb)) return `SYNC_BASE: another program has ${folder.mediaDb} open. ${heldRemedy}`;
  return undefined;
}

function lockAndPrepare(base: string, users: readonly NamedUser[]): DataFolderClaim {
  const own = path.join(base, serverFolderName);
  const spool = path.join(own, 'incoming');
  const changed = new Set<string>();
  makeFolder(own, changed);
  const lock = FolderLock.acquire(path.join(own, 'lock'));
  if (lock === undefined) {
    return { kind: 'problems', problems: [`SYNC_BASE: another server is using ${base}. ${heldRemedy}`] };
  }
  try {
    rmSync(spool, { recursive: true, force: true });
    makeFolder(spool, changed);
    for (const user of users) {
      const folder = userFolder(base, user.name);
      makeFolder(folder.media, changed);
      rmSync(folder.incoming, { recursive: true, force: true });
    }
    // What is acknowledged later lies in these folders, and would be lost with their names.
    for (const folder of changed) syncFolder(folder);
    return { kind: 'claimed', folder: { spool, lock } };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Makes a folder and those above it, and adds the folders that got a new name to `changed`. Not by `recursive`, which
 * never ends where nothing can be made, as in `/proc`.
 */
function makeFolder(folder: string, changed: Set<string>): void {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(folder), changed);
  mkdirSync(folder);
  changed.add(path.dirname(folder));
}

/** The path itself, or the closest folder above it that is there. */
function nearestExisting(folder: string): string {
  for (let at = folder; ; at = path.dirname(at)) if (existsSync(at) || path.dirname(at) === at) return at;
}

/** Does this disk take `A` and `a` for one name? Asked of a name that is there, so that nothing is written. */
function ignoresCase(existing: string): boolean {
  const parent = path.dirname(existing);
  const name = path.basename(existing);
  const swapped = name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase();
  if (swapped === name) return process.platform === 'win32' || process.platform === 'darwin';
  const [one, other] = [statsOf(existing), statsOf(path.join(parent, swapped))];
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}

function statsOf(file: string): Stats | undefined {
  return lstatSync(file, { throwIfNoEntry: false });
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
