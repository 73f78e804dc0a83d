import { readdirSync, rmSync, statSync } from 'node:fs';
import { findBackup, listBackups, type StoredBackup } from '../backup/backup-folder.ts';
import { listTrashed, type TrashedVersion, type TrashRestored } from '../backup/trashed-media.ts';
import type { CollectionFacts } from '../collection/stored-file.ts';
import type { Log } from '../log.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { problemOfUserName } from '../user-name.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import {
  type CareCalls,
  CareProblem,
  type ListedBackup,
  type Restored,
  type UserBackups,
  type UserVerified,
} from './care-calls.ts';
import type { LaneAccess, Safekeeping } from './safekeeping.ts';
import { verifyUser } from './verify-user.ts';

export interface UserCareOptions {
  readonly base: string;
  readonly lanes: LaneAccess;
  readonly pool: WorkerPool;
  readonly safekeeping: Safekeeping;
  readonly log: Log;
}

/** Carries out what the owner of the server asks for, beside the syncs or without a server. */
export class UserCare implements CareCalls {
  readonly #base: string;
  readonly #lanes: LaneAccess;
  readonly #pool: WorkerPool;
  readonly #safekeeping: Safekeeping;
  readonly #log: Log;

  constructor({ base, lanes, pool, safekeeping, log }: UserCareOptions) {
    this.#base = base;
    this.#lanes = lanes;
    this.#pool = pool;
    this.#safekeeping = safekeeping;
    this.#log = log;
  }

  async listBackups({ user }: { readonly user?: string }): Promise<UserBackups[]> {
    const lists: UserBackups[] = [];
    for (const folder of this.#folders(user)) {
      const backups: ListedBackup[] = [];
      for (const backup of listBackups(folder)) backups.push(await this.#listed(backup));
      lists.push({ user: folder.user, now: await this.#factsNow(folder), backups });
    }
    return lists;
  }

  async backUp({ user }: { readonly user: string }): Promise<ListedBackup> {
    const folder = this.#folder(user);
    if (!isFile(folder.collection)) throw new CareProblem(`${JSON.stringify(user)} has no collection yet.`);
    return this.#listed(await this.#safekeeping.backUp(folder));
  }

  async restore(wish: { readonly user: string; readonly backup: string; readonly media: boolean }): Promise<Restored> {
    const folder = this.#folder(wish.user);
    // In turn with the packing, which takes a pending file away when the package is there.
    return this.#safekeeping.inTurn(async () => {
      const backup = chooseBackup(folder, wish.backup);
      const restorable = await this.#pool.heavy('prepareRestore', { folder, backup: backup.path });
      if (restorable.kind === 'damaged') {
        throw new CareProblem(`The backup ${backup.id} cannot be restored, it is damaged: ${restorable.damage}`);
      }
      let kept: string | undefined;
      try {
        kept = await this.#lanes.inCollectionLane(folder, async () => {
          await this.#lanes.closeInLane(folder);
          const argument = { folder, finished: restorable.path };
          return (await this.#pool.threadOf(folder.user).call('restoreCollection', argument)).kept;
        });
      } finally {
        rmSync(restorable.path, { force: true });
      }
      this.#log.warn({ user: folder.user, backup: backup.id, kept }, 'Restored a backup');
      if (kept !== undefined) this.#safekeeping.kept(folder, kept);
      const media = wish.media ? await this.#restoreTrashed(folder, { sinceMs: backup.atMs }) : undefined;
      return { id: backup.id, facts: restorable.facts, kept, media };
    });
  }

  async verify({ user, repair }: { readonly user?: string; readonly repair: boolean }): Promise<UserVerified[]> {
    const verified: UserVerified[] = [];
    for (const folder of this.#folders(user)) {
      const parts = { lanes: this.#lanes, pool: this.#pool };
      verified.push(await this.#safekeeping.inTurn(() => verifyUser(folder, repair, parts)));
    }
    return verified;
  }

  async listTrash({ user }: { readonly user: string }): Promise<TrashedVersion[]> {
    return listTrashed(this.#folder(user));
  }

  async restoreTrash({ user, what }: { readonly user: string; readonly what: string }): Promise<TrashRestored> {
    const folder = this.#folder(user);
    const names = new Set((await listTrashed(folder)).map(({ name }) => name));
    if (names.has(what)) return this.#restoreTrashed(folder, { name: what });
    const sinceMs = /^\d{4}-\d\d-\d\d/.test(what) ? Date.parse(what) : Number.NaN;
    if (Number.isNaN(sinceMs)) {
      throw new CareProblem(
        `The trash of ${JSON.stringify(user)} has no file ${JSON.stringify(what)}, and that is no time either, such as 2026-11-23 or 2026-11-23T14:30Z.`,
      );
    }
    return this.#restoreTrashed(folder, { sinceMs });
  }

  #restoreTrashed(folder: UserFolder, wish: { sinceMs: number } | { name: string }): Promise<TrashRestored> {
    return this.#lanes.inMediaLane(folder, () =>
      this.#pool.threadOf(folder.user).call('restoreTrashed', { folder, wish }),
    );
  }

  async #listed(backup: StoredBackup): Promise<ListedBackup> {
    const { id, atMs, reason, form, bytes } = backup;
    return { id, atMs, reason, form, bytes, facts: await this.#factsOf(backup).catch(() => undefined) };
  }

  async #factsOf({ form, path: file }: StoredBackup): Promise<CollectionFacts | undefined> {
    if (form === 'packed') {
      // Only when asked for: what reads packages is not needed to serve.
      const { readPackageFacts } = await import('../backup/colpkg.ts');
      return readPackageFacts(file);
    }
    return form === 'pending' ? this.#pool.heavy('readFacts', { path: file }) : undefined;
  }

  async #factsNow(folder: UserFolder): Promise<CollectionFacts | undefined> {
    if (!isFile(folder.collection)) return undefined;
    return this.#lanes.factsNow(folder).catch(() => undefined);
  }

  #folders(user: string | undefined): UserFolder[] {
    if (user !== undefined) return [this.#folder(user)];
    const names = readdirSync(this.#base).filter((name) => !name.startsWith('.'));
    return names.sort().flatMap((name) => knownFolder(this.#base, name) ?? []);
  }

  #folder(user: string): UserFolder {
    const folder = knownFolder(this.#base, user);
    if (folder !== undefined) return folder;
    throw new CareProblem(`There is no user ${JSON.stringify(user)} in ${this.#base}.`);
  }
}

/** The folder of a user who has synced, or who has been set up. */
function knownFolder(base: string, user: string): UserFolder | undefined {
  if (problemOfUserName(user, process.platform) !== undefined) return undefined;
  const folder = userFolder(base, user);
  const isThere = isFile(folder.collection) || isFile(folder.mediaDb) || isFolder(folder.media);
  return isThere ? folder : undefined;
}

function chooseBackup(folder: UserFolder, wanted: string): StoredBackup {
  const found = findBackup(listBackups(folder), wanted);
  const user = JSON.stringify(folder.user);
  if ('problem' in found) {
    const what = found.problem === 'unknown' ? 'has no backup' : 'has several backups that begin with';
    throw new CareProblem(`${user} ${what} ${wanted}. "anki-sync-server backups" lists them.`);
  }
  if (found.form !== 'damaged') return found;
  throw new CareProblem(`${found.path} was set aside because it is damaged; it cannot be restored as it is.`);
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
}
