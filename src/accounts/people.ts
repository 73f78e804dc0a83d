import { existsSync, lstatSync } from 'node:fs';
import { causesOf } from '../errors.ts';
import { CareProblem } from '../lanes/care-calls.ts';
import { SerialQueue } from '../lanes/serial-queue.ts';
import type { SyncEnding } from '../lanes/sync-ending.ts';
import type { Log } from '../log.ts';
import { userFolder } from '../user-folder.ts';
import { problemOfNewName } from '../user-name.ts';
import type { Accounts, Person } from './accounts.ts';
import { makeUserFolder, problemOfNewFolder } from './data-folder.ts';
import type { Device } from './devices.ts';
import { emptyGraves, moveFolder } from './folder-moves.ts';
import { bytesIn } from './folder-size.ts';
import type { ListedUser, NewUser, PeopleCalls, UserDevices } from './people-calls.ts';
import { parsePasswordHash } from './phc.ts';
import type { AccountStore, StoredUser } from './store/account-store.ts';

export interface PeopleOptions {
  readonly base: string;
  readonly accounts: Accounts;
  readonly store: AccountStore;
  readonly syncs: SyncEnding;
  readonly log: Log;
}

/** Stored users, at most: a limit for everything, far above what one machine serves. */
const usersMax = 10_000;
/** How long a rename or a removal waits for running requests, milliseconds. */
const requestsWaitMsMax = 30_000;

/** Carries out what the owner of the server asks for about users and devices, beside the syncs or without a server. */
export class People implements PeopleCalls {
  readonly #base: string;
  readonly #accounts: Accounts;
  readonly #store: AccountStore;
  readonly #syncs: SyncEnding;
  readonly #log: Log;
  /** Changes wait for each other: some take several steps. */
  readonly #queue = new SerialQueue();

  constructor({ base, accounts, store, syncs, log }: PeopleOptions) {
    this.#base = base;
    this.#accounts = accounts;
    this.#store = store;
    this.#syncs = syncs;
    this.#log = log;
  }

  async listUsers(): Promise<ListedUser[]> {
    const listed: ListedUser[] = [];
    for (const person of this.#accounts.people()) {
      const { account, isEnabled, setting } = person;
      const devices = this.#devicesOf(account.name);
      const seen = [this.#accounts.lastSeenMs(account.name) ?? 0, ...devices.map(({ lastUsedMs }) => lastUsedMs)];
      const lastSeenMs = Math.max(...seen);
      listed.push({
        name: account.name,
        isEnabled,
        variable: setting?.variable,
        devices: this.#accounts.sharesKey(person) ? undefined : devices.length,
        lastSeenMs: lastSeenMs === 0 ? undefined : lastSeenMs,
        bytes: await bytesIn(account.folder.root),
      });
    }
    return listed;
  }

  addUser(argument: NewUser): Promise<{ hasData: boolean }> {
    return this.#change(() => this.#addUser(argument));
  }

  changePassword(argument: NewUser): Promise<{ devices: number }> {
    return this.#change(() => this.#changePassword(argument));
  }

  renameUser(argument: { readonly user: string; readonly target: string }): Promise<object> {
    return this.#change(() => this.#renameUser(argument));
  }

  setUserEnabled(argument: { readonly user: string; readonly isEnabled: boolean }): Promise<object> {
    return this.#change(() => this.#setUserEnabled(argument));
  }

  removeUser(argument: { readonly user: string; readonly deleteData: boolean }): Promise<{ keptIn?: string }> {
    return this.#change(() => this.#removeUser(argument));
  }

  revokeDevices(argument: { readonly user: string; readonly device?: number }): Promise<{ devices: number }> {
    return this.#change(() => this.#revokeDevices(argument));
  }

  /** Runs a change after those before it. When it fails, what is in memory is made equal to what is stored. */
  #change<Result>(change: () => Promise<Result>): Promise<Result> {
    return this.#queue.run(async () => {
      try {
        return await change();
      } catch (error) {
        if (error instanceof CareProblem) throw error;
        this.#accounts.reload();
        this.#log.error({ reason: causesOf(error) }, 'A change of users or devices failed');
        throw new CareProblem(
          `The change failed: ${causesOf(error)}. Has the disk of ${this.#base} room, and may this account write there? "anki-sync-server user list" tells what holds now.`,
        );
      }
    });
  }

  async #addUser({ user, passwordHash }: NewUser): Promise<{ hasData: boolean }> {
    checkHash(passwordHash);
    this.#checkNewName(user);
    if (this.#store.users().length >= usersMax) throw new CareProblem(`There are ${usersMax} users already.`);
    // Files of a user who had the name before may still be open, and are somebody else's from now on.
    if (existsSync(userFolder(this.#base, user).root)) await this.#closeFiles(user);
    const problem = problemOfNewFolder(this.#base, user, this.#namedUsers());
    if (problem !== undefined) throw new CareProblem(`Cannot add ${JSON.stringify(user)}: ${problem}`);
    const hasData = existsSync(userFolder(this.#base, user).collection);
    makeUserFolder(this.#base, user);
    const stored: StoredUser = { name: user, passwordHash, isEnabled: true, createdMs: Date.now() };
    this.#store.addUser(stored);
    this.#accounts.removed(user); // Keys of an environment user who had the name before.
    this.#accounts.changed(stored);
    this.#log.info({ user }, 'Added a user');
    return { hasData };
  }

  async #changePassword({ user, passwordHash }: NewUser): Promise<{ devices: number }> {
    checkHash(passwordHash);
    const stored = this.#stored(user);
    const devices = this.#devicesOf(user).length;
    this.#store.changePassword(user, passwordHash);
    this.#accounts.removed(user);
    this.#accounts.changed({ ...stored, passwordHash });
    this.#log.info({ user, devices }, 'Changed a password, and ended the access of all devices');
    await this.#endAccess(user);
    return { devices };
  }

  async #renameUser({ user, target }: { readonly user: string; readonly target: string }): Promise<object> {
    this.#stored(user);
    if (user === target) throw new CareProblem(`The user is called ${JSON.stringify(user)} already.`);
    this.#checkNewName(target);
    this.#checkFreeFolder(user, target);
    await this.#whileNobodySyncs(user, () => {
      const stored = this.#stored(user);
      moveFolder(this.#base, this.#store, { user, target });
      this.#accounts.renamed(user, { ...stored, name: target });
    });
    this.#log.info({ user, target }, 'Renamed a user');
    return {};
  }

  async #setUserEnabled({ user, isEnabled }: { user: string; isEnabled: boolean }): Promise<object> {
    const stored = this.#stored(user);
    if (stored.isEnabled === isEnabled) {
      throw new CareProblem(`The user ${JSON.stringify(user)} is ${isEnabled ? 'enabled' : 'disabled'} already.`);
    }
    this.#store.setEnabled(user, isEnabled);
    this.#accounts.changed({ ...stored, isEnabled });
    this.#log.info({ user }, isEnabled ? 'Enabled a user' : 'Disabled a user');
    await this.#endAccess(user);
    return {};
  }

  async #removeUser({ user, deleteData }: { user: string; deleteData: boolean }): Promise<{ keptIn?: string }> {
    this.#stored(user);
    const { root } = userFolder(this.#base, user);
    if (!deleteData) {
      this.#store.removeUser(user);
      this.#accounts.removed(user);
      this.#log.info({ user }, 'Removed a user; the data are kept');
      await this.#endAccess(user);
      return { keptIn: root };
    }
    if (lstatSync(root, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      throw new CareProblem(`${root} is a link. Remove the user without --delete-data, then delete what it leads to.`);
    }
    await this.#whileNobodySyncs(user, () => {
      moveFolder(this.#base, this.#store, { user, target: null });
      this.#accounts.removed(user);
    });
    await emptyGraves(this.#base);
    this.#log.warn({ user, path: root }, 'Removed a user and deleted the data');
    return {};
  }

  async listDevices({ user }: { readonly user?: string }): Promise<UserDevices[]> {
    const people = user === undefined ? this.#accounts.people() : [this.#person(user)];
    return people.map((person) => {
      const { account, setting } = person;
      const devices = this.#devicesOf(account.name).map(({ id, client, address, firstUsedMs, lastUsedMs }) => {
        return { id, client, address, firstUsedMs, lastUsedMs };
      });
      const sharedKeyOf = this.#accounts.sharesKey(person) ? setting?.variable : undefined;
      return { user: account.name, sharedKeyOf, devices };
    });
  }

  async #revokeDevices({ user, device }: { user: string; device?: number }): Promise<{ devices: number }> {
    const person = this.#person(user);
    const devices = this.#devicesOf(user).filter(({ id }) => device === undefined || id === device);
    if (devices.length === 0 && this.#accounts.sharesKey(person)) {
      throw new CareProblem(
        `The devices of ${JSON.stringify(user)} share one key, which is made from ${person.setting?.variable}. Change the password there, or set SYNC_DEVICE_KEYS=on.`,
      );
    }
    if (devices.length === 0 && device !== undefined) {
      throw new CareProblem(
        `${JSON.stringify(user)} has no device ${device}. "anki-sync-server device list ${user}" lists them.`,
      );
    }
    this.#accounts.devices?.revoke(devices);
    this.#log.info({ user, devices: devices.map(({ id }) => id) }, 'Ended the access of devices');
    await this.#endAccess(user);
    return { devices: devices.length };
  }

  /** The accounts have changed: what they would refuse from now on ends now. */
  async #endAccess(user: string): Promise<void> {
    this.#accounts.running.endAccess(user, (hostKey) => !this.#accounts.isWelcome(hostKey));
    await this.#syncs.endUnwelcomeSync(userFolder(this.#base, user));
  }

  /** Runs work on the folder of a user whose requests are told to come again meanwhile. */
  async #whileNobodySyncs(user: string, work: () => void): Promise<void> {
    using held = new DisposableStack();
    const { running } = this.#accounts;
    await this.#syncs.whileClosed(userFolder(this.#base, user), work, async () => {
      held.use(this.#accounts.hold(user));
      running.endAccess(user, () => true);
      if (await running.idle(user, requestsWaitMsMax)) return;
      throw new CareProblem(`${JSON.stringify(user)} is just syncing something large. Try again in a minute.`);
    });
  }

  async #closeFiles(user: string): Promise<void> {
    await this.#syncs.whileClosed(userFolder(this.#base, user), () => {});
  }

  #checkNewName(name: string): void {
    const shown = JSON.stringify(name);
    const problem = problemOfNewName(name, process.platform);
    if (problem !== undefined) throw new CareProblem(`The name ${shown} ${problem}. Use another name.`);
    const person = this.#accounts.person(name);
    if (person?.setting !== undefined) {
      throw new CareProblem(`There is a user ${shown} already, in ${person.setting.variable}. Use another name.`);
    }
    if (person !== undefined) throw new CareProblem(`There is a user ${shown} already. Use another name.`);
  }

  /** On disks that ignore letter case, a name may differ from the old one in nothing else. */
  #checkFreeFolder(user: string, target: string): void {
    const others = this.#namedUsers().filter(({ name }) => name !== user);
    const problem = problemOfNewFolder(this.#base, target, others);
    if (problem !== undefined) throw new CareProblem(`Cannot rename to ${JSON.stringify(target)}: ${problem}`);
    const [from, to] = [user, target].map((name) =>
      lstatSync(userFolder(this.#base, name).root, { throwIfNoEntry: false }),
    );
    if (to === undefined || (from?.ino === to.ino && from.dev === to.dev)) return;
    throw new CareProblem(
      `There is a folder ${userFolder(this.#base, target).root} already. Move it away, or use another name.`,
    );
  }

  #namedUsers(): { variable: string; name: string }[] {
    return this.#accounts.people().map(({ account: { name }, setting }) => ({
      variable: setting?.variable ?? `the user ${JSON.stringify(name)}`,
      name,
    }));
  }

  #person(user: string): Person {
    const person = this.#accounts.person(user);
    if (person !== undefined) return person;
    throw new CareProblem(`There is no user ${JSON.stringify(user)}. "anki-sync-server user list" lists them.`);
  }

  #stored(user: string): StoredUser {
    const { stored, setting } = this.#person(user);
    if (stored !== undefined) return stored;
    throw new CareProblem(
      `${JSON.stringify(user)} comes from ${setting?.variable}. Change or remove that variable, and start the server again.`,
    );
  }

  #devicesOf(user: string): Device[] {
    return this.#accounts.devices?.of(user) ?? [];
  }
}

function checkHash(passwordHash: string): void {
  const hash = parsePasswordHash(passwordHash);
  if (hash === undefined) throw new CareProblem('The hash is no PHC text, such as $pbkdf2-sha256$i=600000,l=32$….');
  if (hash.kind === 'unusable') throw new CareProblem(`No password can match this hash, because ${hash.why}.`);
}
