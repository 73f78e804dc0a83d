import { createHash, timingSafeEqual } from 'node:crypto';
import { SyncError } from '../errors.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { PasswordChecker, type StoredPassword } from './password.ts';

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
}

/**
 * The host key of a user: SHA-1 over the whole value of the user's variable, as in the official server. Devices keep
 * it for years and never log in again by themselves, so it has to stay the same when a server takes the other's place.
 */
export function hostKeyOf(settingValue: string): string {
  return createHash('sha1').update(settingValue).digest('hex');
}

/** All users: who owns a host key, and whose password is right. */
export class Accounts {
  readonly #byKeyDigest = new Map<string, { readonly account: Account; readonly hostKey: Buffer }>();
  readonly #byName = new Map<string, UserSetting>();
  readonly #passwords = new PasswordChecker();
  /** Whose hash is computed for names that do not exist. */
  readonly #stranger: StoredPassword;

  /** `users` have different names; `base` is the data folder. */
  constructor(users: readonly UserSetting[], base: string) {
    for (const user of users) {
      const account = { name: user.name, folder: userFolder(base, user.name) };
      this.#byKeyDigest.set(digestOf(user.hostKey), { account, hostKey: Buffer.from(user.hostKey) });
      this.#byName.set(user.name, user);
    }
    this.#stranger = slowestOf(users.map((user) => user.password)) ?? { kind: 'plain', text: '' };
  }

  /** The owner of a host key. The look-up goes by a digest, so its time says nothing about keys that are nearly right. */
  byHostKey(hostKey: string): Account | undefined {
    const entry = this.#byKeyDigest.get(digestOf(hostKey));
    const given = Buffer.from(hostKey);
    if (entry === undefined || given.length !== entry.hostKey.length) return undefined;
    return timingSafeEqual(given, entry.hostKey) ? entry.account : undefined;
  }

  /** The host key for a name and its password. Unknown names take as long as known ones and get the same refusal. */
  async login(name: string, password: string): Promise<string> {
    const user = this.#byName.get(name);
    const isRight = await this.#passwords.matches(password, user?.password ?? this.#stranger);
    if (user === undefined || !isRight) {
      throw new SyncError(
        'hostKeyRejected',
        `Cannot log in ${JSON.stringify(name.slice(0, 100))}: wrong name or password`,
      );
    }
    return user.hostKey;
  }
}

function digestOf(hostKey: string): string {
  return createHash('sha256').update(hostKey).digest('base64');
}

/** Any usable hash will do; most families have hashes of one kind. */
function slowestOf(passwords: readonly StoredPassword[]): StoredPassword | undefined {
  return passwords.find((password) => password.kind === 'hashed' && password.hash.kind !== 'unusable') ?? passwords[0];
}
