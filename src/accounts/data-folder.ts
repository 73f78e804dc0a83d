import { accessSync, constants, existsSync, lstatSync, mkdirSync, rmSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../errors.ts';
import { FolderLock, isHeldElsewhere } from '../storage/folder-lock.ts';
import { inheritOwner } from '../storage/inherit-owner.ts';
import { syncFolder } from '../storage/replace-file.ts';
import { userFolder } from '../user-folder.ts';
import { foldedName, serverFolderName } from '../user-name.ts';
import { emptyGravesAtStart, settleMoves } from './folder-moves.ts';
import { AccountStore } from './store/account-store.ts';
import { AccountStoreProblem, accountsFileName } from './store/accounts-file.ts';

/** The data folder, ours until it is released. */
export interface DataFolder {
  /** Where bytes of clients wait that have not said who they are. Empty at first. */
  readonly spool: string;
  readonly lock: FolderLock;
  /** Users who were made by command, and the host keys of devices. */
  readonly store: AccountStore;
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
 * Takes the data folder into use: looks at everything first, then locks it, and only then settles what an earlier process
 * left half-done, makes the folders of new users and throws away what was on its way in or out. `users` are those of the
 * environment; those of the store have folders already.
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

/** Why a user who is made by command cannot have this name, which none of `users` has; undefined when it is free. */
export function problemOfNewFolder(base: string, name: string, users: readonly NamedUser[]): string | undefined {
  const user = { variable: `the user ${JSON.stringify(name)}`, name };
  return problemsOfNames(base, [...users, user])[0] ?? problemOfUserFolder(base, user);
}

/** Makes the folder of a user durably, unless it is there. */
export function makeUserFolder(base: string, name: string): void {
  const changed = new Set<string>();
  makeFolder(userFolder(base, name).media, changed);
  for (const folder of changed) syncFolder(folder);
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
  let store: AccountStore | undefined;
  try {
    inheritOwner(path.join(own, 'lock'));
    store = AccountStore.open(base);
    settleMoves(base, store);
    emptyGravesAtStart(base);
    const stored = store.users().map(({ name }) => ({ variable: `the user ${JSON.stringify(name)}`, name }));
    const problems = [...clashes(store.file, users, stored), ...problemsOfNames(base, [...users, ...stored])];
    if (problems.length > 0) {
      store.close();
      lock.release();
      return { kind: 'problems', problems };
    }
    rmSync(spool, { recursive: true, force: true });
    makeFolder(spool, changed);
    for (const user of [...users, ...stored]) {
      const folder = userFolder(base, user.name);
      makeFolder(folder.media, changed);
      // A thousand new users would wait for a thousand of these; it is made up for when the media are opened.
      changed.delete(folder.root);
      rmSync(folder.incoming, { recursive: true, force: true });
    }
    // What is acknowledged later lies in these folders, and would be lost with their names.
    for (const folder of changed) syncFolder(folder);
    return { kind: 'claimed', folder: { spool, lock, store } };
  } catch (error) {
    store?.close();
    lock.release();
    if (error instanceof AccountStoreProblem) return { kind: 'problems', problems: [`SYNC_BASE: ${error.message}`] };
    throw error;
  }
}

/** Users of the environment who are stored too: nobody could say whose password counts. */
function clashes(file: string, users: readonly NamedUser[], stored: readonly NamedUser[]): string[] {
  const names = new Set(stored.map(({ name }) => name));
  return users
    .filter(({ name }) => names.has(name))
    .map(
      ({ variable, name }) =>
        `${variable} has the name ${JSON.stringify(name)}, and so has a user in ${file}. Remove the variable, or run "anki-sync-server user remove ${name}" with the same SYNC_BASE and without the variable, which keeps the data.`,
    );
}

/** Is there a file of stored users, so that a server may start without any in the environment? */
export function hasAccountsFile(base: string): boolean {
  return existsSync(path.join(base, accountsFileName));
}

/**
 * Makes a folder and those above it, and adds the folders that got a new name to `changed`. Not by `recursive`, which
 * never ends where nothing can be made, as in `/proc`.
 */
function makeFolder(folder: string, changed: Set<string>): void {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(folder), changed);
  mkdirSync(folder);
  inheritOwner(folder);
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
