import { createHash, pbkdf2Sync } from 'node:crypto';

/** How passwords stand in the settings. */
export type PasswordKind =
  /** As they are: the official server hashes each at its start. */
  | 'plain'
  /** PBKDF2 with as many rounds as people use. */
  | 'hashed'
  /** PBKDF2 with one round: for scenarios that are not about passwords. */
  | 'quick';

export interface Account {
  readonly name: string;
  readonly password: string;
  /** The value of `SYNC_USERn`. */
  readonly setting: string;
  /** SHA-1 of the setting, as both servers make it. */
  readonly hostKey: string;
}

/** What the official server itself uses. */
const roundsUsual = 600_000;

/** Accounts `user1`, `user2`, …; with real hashes all have the same password, because a hash takes a tenth of a second. */
export function makeAccounts(count: number, kind: PasswordKind): Account[] {
  const shared = kind === 'hashed' ? phcString('bench', roundsUsual) : '';
  return Array.from({ length: count }, (_, at) => {
    const name = `user${at + 1}`;
    const password = kind === 'hashed' ? 'bench' : `bench${at + 1}`;
    const secret = kind === 'plain' ? password : kind === 'hashed' ? shared : phcString(password, 1);
    const setting = `${name}:${secret}`;
    return { name, password, setting, hostKey: createHash('sha1').update(setting).digest('hex') };
  });
}

function phcString(password: string, rounds: number): string {
  const salt = Buffer.from('a salt for benchmarks');
  const hash = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
  const unpadded = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$pbkdf2-sha256$i=${rounds},l=32$${unpadded(salt)}$${unpadded(hash)}`;
}
