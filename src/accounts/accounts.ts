import { SyncError } from '../errors.ts';
import { type Log, silentLog } from '../log.ts';
import type { Message } from '../protocol/message.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { type Device, Devices, type Sighting } from './devices.ts';
import { digestOf, settingProof } from './host-key.ts';
import { isOutdated } from './new-hash.ts';
import { PasswordChecker, type StoredPassword } from './password.ts';
import { parsePasswordHash } from './phc.ts';
import { RunningRequests } from './running-requests.ts';
import type { AccountStore, StoredUser } from './store/account-store.ts';

export { hostKeyOf } from './host-key.ts';

/** One user as the settings name them. */
export interface UserSetting {
  /** The variable, such as `SYNC_USER1`, for messages. */
  readonly variable: string;
  readonly name: string;
  readonly password: StoredPassword;
  /** Lower-case hex, see `hostKeyOf`. A secret. */
  readonly hostKey: string;
}

/** A user who may sync. */
export interface Account {
  readonly name: string;
  readonly folder: UserFolder;
  /** The number of the device, as in `anki-sync-server device list`; undefined with a derived key. */
  readonly deviceId?: number;
}

/** A user of either kind. Never changed: another one takes its place. */
export interface Person {
  readonly account: Account;
  readonly password: StoredPassword;
  readonly isEnabled: boolean;
  /** Where the user comes from: one of the two is there. */
  readonly setting: UserSetting | undefined;
  readonly stored: StoredUser | undefined;
}

export interface AccountsOptions {
  /** Users and devices that are stored; without it all users come from the environment, each with a derived key. */
  readonly store?: AccountStore;
  /** `SYNC_DEVICE_KEYS`: do environment users get a random key for each device too? */
  readonly deviceKeys?: boolean;
  readonly log?: Log;
}

/** All users: who owns a host key, and whose password is right. */
export class Accounts {
  /** What is being answered. */
  readonly running = new RunningRequests();
  readonly devices: Devices | undefined;
  readonly #store: AccountStore | undefined;
  readonly #base: string;
  readonly #deviceKeys: boolean;
  readonly #log: Log;
  readonly #people = new Map<string, Person>();
  /** Environment users by the digest of their derived key. */
  readonly #byDerivedKey = new Map<string, Person>();
  /** Users whose folder is being moved. */
  readonly #held = new Set<string>();
  readonly #lastSeenMs = new Map<string, number>();
  readonly #passwords = new PasswordChecker();
  /** Whose hash is computed for names that do not exist. */
  #stranger: StoredPassword = { kind: 'plain', text: '' };

  /** `users` have different names, also from those of the store; `base` is the data folder. */
  constructor(users: readonly UserSetting[], base: string, options: AccountsOptions = {}) {
    const { store, deviceKeys = false, log = silentLog } = options;
    this.#store = store;
    this.#base = base;
    this.#deviceKeys = deviceKeys && store !== undefined;
    this.#log = log;
    this.devices = store && new Devices(store, log);
    for (const user of store?.users() ?? []) this.#people.set(user.name, storedPerson(user, base));
    for (const setting of users) {
      const account = { name: setting.name, folder: userFolder(base, setting.name) };
      const person = { account, password: setting.password, isEnabled: true, setting, stored: undefined };
      this.#people.set(setting.name, person);
      if (!this.#deviceKeys) this.#byDerivedKey.set(digestOf(setting.hostKey), person);
    }
    this.#chooseStranger();
  }

  /** Who is asked for in every request. Undefined for a key that is not, or no more, good. Throws while the user is held. */
  byHostKey(hostKey: string, sighting: Sighting = {}): Account | undefined {
    const known = this.#byDerivedKey.get(digestOf(hostKey))?.account ?? this.#byDeviceKey(hostKey, sighting);
    if (known === undefined) return undefined;
    if (this.#held.has(known.name)) {
      throw new SyncError('syncConflict', 'Cannot answer: the folder of the user is being moved');
    }
    this.#lastSeenMs.set(known.name, Date.now());
    return known;
  }

  #byDeviceKey(hostKey: string, sighting: Sighting): Account | undefined {
    const owner = this.#deviceOwner(hostKey);
    if (owner === undefined) return undefined;
    this.devices?.saw(owner.device, sighting);
    return { ...owner.person.account, deviceId: owner.device.id };
  }

  #deviceOwner(hostKey: string): { readonly device: Device; readonly person: Person } | undefined {
    const device = this.devices?.byHostKey(hostKey);
    const person = device && this.#people.get(device.user);
    if (device === undefined || person === undefined || !person.isEnabled) return undefined;
    const { setting } = person;
    const proof = setting === undefined ? null : settingProof(hostKey, setting.hostKey);
    return proof === device.settingProof ? { device, person } : undefined; // The variable may have another value now.
  }

  /** May this message, which was let in a while ago, still be answered? Throws when not. */
  admit({ hostKey, folder }: Pick<Message, 'hostKey' | 'folder'>): void {
    const account = this.byHostKey(hostKey);
    if (account === undefined) {
      throw new SyncError('hostKeyRejected', 'Cannot answer: the access of the device has ended');
    }
    if (account.folder.root !== folder.root) {
      throw new SyncError('syncConflict', 'Cannot answer: the user has another name now');
    }
  }

  /**
   * The host key for a name and its password. Unknown names and disabled users take as long as others and get the same
   * refusal.
   */
  async login(name: string, password: string, sighting: Sighting = {}): Promise<string> {
    const person = this.#people.get(name);
    const isRight = await this.#matches(person, password);
    // Whoever was changed in the meantime is somebody else.
    if (person === undefined || !isRight || !person.isEnabled || this.#people.get(name) !== person) {
      throw new SyncError(
        'hostKeyRejected',
        `Cannot log in ${JSON.stringify(name.slice(0, 100))}: wrong name or password`,
      );
    }
    if (person.setting !== undefined && !this.#deviceKeys) return person.setting.hostKey;
    if (this.#held.has(name))
      throw new SyncError('syncConflict', 'Cannot log in: the folder of the user is being moved');
    if (this.devices === undefined) throw new Error('There is no store for host keys');
    const hostKey = this.devices.issue({ user: name, derivedHostKey: person.setting?.hostKey }, sighting);
    await this.#improveHash(person, password);
    return hostKey;
  }

  /** All users, by name. */
  people(): Person[] {
    return [...this.#people.values()].sort((a, b) => (a.account.name < b.account.name ? -1 : 1));
  }

  person(name: string): Person | undefined {
    return this.#people.get(name);
  }

  /** Do all devices of this user have the key that is made from the variable? */
  sharesKey({ setting }: Person): boolean {
    return setting !== undefined && !this.#deviceKeys;
  }

  /** Is this key good for anything? Says so without noting that it was used. */
  isWelcome(hostKey: string): boolean {
    return this.#byDerivedKey.has(digestOf(hostKey)) || this.#deviceOwner(hostKey) !== undefined;
  }

  /** When a user was last heard of since the start of this process, epoch milliseconds. */
  lastSeenMs(name: string): number | undefined {
    return this.#lastSeenMs.get(name);
  }

  /** The store has a new user, or has changed one. */
  changed(user: StoredUser): void {
    this.#people.set(user.name, storedPerson(user, this.#base));
    this.#chooseStranger();
  }

  /** The store has removed a user, with all devices. */
  removed(name: string): void {
    this.#people.delete(name);
    this.#lastSeenMs.delete(name);
    this.devices?.forgetAll(name);
    this.#chooseStranger();
  }

  /** The store has given a user another name; devices keep their keys. */
  renamed(name: string, user: StoredUser): void {
    this.devices?.forgetAll(user.name); // Of an environment user who had the name before.
    this.devices?.renamed(name, user.name);
    this.removed(name);
    this.changed(user);
  }

  /** Holds what the store holds: a change that failed may have happened all the same. */
  reload(): void {
    const stored = this.#store?.users() ?? [];
    this.devices?.reload();
    for (const [name, person] of this.#people) if (person.stored !== undefined) this.#people.delete(name);
    for (const user of stored) this.#people.set(user.name, storedPerson(user, this.#base));
    this.#chooseStranger();
  }

  /** Until it is disposed of, requests of this user are told to come again. */
  hold(name: string): Disposable {
    this.#held.add(name);
    return { [Symbol.dispose]: () => void this.#held.delete(name) };
  }

  /** Writes what was not worth a write before. Call it when no request is answered any more. */
  close(): void {
    this.devices?.writeSightings();
  }

  async #matches(person: Person | undefined, password: string): Promise<boolean> {
    const own = person !== undefined && canMatch(person.password) ? person.password : undefined;
    // The time must not tell which names exist, so something is hashed for each if it is for any.
    if (own?.kind !== 'hashed') await this.#passwords.matches(password, this.#stranger);
    return own !== undefined && this.#passwords.matches(password, own);
  }

  /** Hashes of former times, and of the official server, are replaced when the password is at hand. */
  async #improveHash({ stored, password }: Person, given: string): Promise<void> {
    if (stored === undefined || password.kind !== 'hashed' || !isOutdated(password.hash)) return;
    try {
      const passwordHash = await this.#passwords.hash(given);
      const now = this.#people.get(stored.name)?.stored;
      if (now?.passwordHash !== stored.passwordHash) return; // Changed in the meantime.
      this.#store?.improveHash(stored.name, passwordHash);
      this.changed({ ...now, passwordHash });
    } catch (error) {
      this.#log.warn({ user: stored.name, err: error }, 'Cannot store a stronger hash of the password');
    }
  }

  /** Any hash that can match will do; most families have hashes of one kind. */
  #chooseStranger(): void {
    const passwords = [...this.#people.values()].map(({ password }) => password);
    const hashed = passwords.find((password) => password.kind === 'hashed' && canMatch(password));
    this.#stranger = hashed ?? { kind: 'plain', text: '' };
  }
}

function storedPerson(stored: StoredUser, base: string): Person {
  const { name, passwordHash, isEnabled } = stored;
  const hash = parsePasswordHash(passwordHash) ?? { kind: 'unusable', why: 'it is no PHC text' };
  const account = { name, folder: userFolder(base, name) };
  return { account, password: { kind: 'hashed', hash }, isEnabled, setting: undefined, stored };
}

function canMatch(password: StoredPassword): boolean {
  return password.kind === 'plain' || password.hash.kind !== 'unusable';
}
