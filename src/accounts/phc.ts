/**
 * A password hash as its owner wrote it into `SYNC_USERn`: `$<id>[$v=<n>][$<params>][$<salt>[$<hash>]]`, the PHC string
 * format. Well-formed texts that can never match a password are `unusable`, as in the official server, which starts
 * with them and refuses every login.
 */
export type PasswordHash =
  | {
      readonly kind: 'pbkdf2';
      readonly digest: 'sha256' | 'sha512';
      readonly rounds: number;
      readonly salt: Uint8Array;
      readonly hash: Uint8Array;
    }
  | {
      readonly kind: 'argon2id';
      readonly memoryKiB: number;
      readonly passes: number;
      readonly lanes: number;
      readonly salt: Uint8Array;
      readonly hash: Uint8Array;
    }
  | { readonly kind: 'unusable'; readonly why: string };

/** Rounds of a hash without `i`. Same as the official server. */
const pbkdf2RoundsDefault = 600_000;
/** Length of a PBKDF2 hash without `l`, bytes. Same as the official server. */
const pbkdf2HashBytesDefault = 32;
const u32Max = 0xffff_ffff;

const shape =
  /^\$(?<id>[a-z0-9-]{1,32})(?:\$v=(?<version>\d{1,10}))?(?:\$(?<params>[a-z0-9-]{1,32}=[A-Za-z0-9/+.-]*(?:,[a-z0-9-]{1,32}=[A-Za-z0-9/+.-]*)*))?(?:\$(?<salt>[A-Za-z0-9/+.-]{4,64})(?:\$(?<hash>[A-Za-z0-9/+]+))?)?$/;

/** Reads a PHC text; undefined when it is not one. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const parts = shape.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const hash = parts['hash'] === undefined ? undefined : fromB64(parts['hash']);
  if (parts['hash'] !== undefined && (hash === undefined || hash.length < 10 || hash.length > 64)) return undefined;
  const params = readParams(parts['params']);
  if (params === undefined) return undefined;
  if (hash === undefined) return unusable('it has no hash part');
  const salt = fromB64(parts['salt'] ?? '');
  if (salt === undefined) return unusable('its salt is not base64');
  switch (parts['id']) {
    case 'pbkdf2-sha256':
      return pbkdf2({ digest: 'sha256', version: parts['version'], params, salt, hash });
    case 'pbkdf2-sha512':
      return pbkdf2({ digest: 'sha512', version: parts['version'], params, salt, hash });
    case 'argon2id':
      return argon2id({ version: parts['version'], params, salt, hash });
    default:
      return unusable(`the algorithm ${parts['id']} is not supported`);
  }
}

interface Parts {
  readonly version: string | undefined;
  readonly params: ReadonlyMap<string, string>;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

function pbkdf2({ digest, version, params, salt, hash }: Parts & { digest: 'sha256' | 'sha512' }): PasswordHash {
  if (version !== undefined) return unusable('PBKDF2 has no version part');
  const unknown = [...params.keys()].find((name) => name !== 'i' && name !== 'l');
  if (unknown !== undefined) return unusable(`PBKDF2 has no parameter ${unknown}`);
  const rounds = positive(params.get('i'), pbkdf2RoundsDefault);
  const length = positive(params.get('l'), pbkdf2HashBytesDefault);
  if (rounds === undefined || length === undefined) return unusable('a parameter is not a number');
  if (length !== hash.length) return unusable(`its hash has ${hash.length} bytes, ${length} were announced`);
  return { kind: 'pbkdf2', digest, rounds, salt, hash };
}

// The official server knows argon2id as a name only; here it works, because it is what password tools make today.
function argon2id({ version, params, salt, hash }: Parts): PasswordHash {
  if (version !== '19') return unusable('only version 19 of argon2id is supported');
  const unknown = [...params.keys()].find((name) => name !== 'm' && name !== 't' && name !== 'p');
  if (unknown !== undefined) return unusable(`argon2id has no parameter ${unknown}`);
  const [memoryKiB, passes, lanes] = ['m', 't', 'p'].map((name) => positive(params.get(name)));
  if (memoryKiB === undefined || passes === undefined || lanes === undefined) {
    return unusable('argon2id needs the parameters m, t and p');
  }
  if (memoryKiB < 8 * lanes || lanes > 255 || salt.length < 8) return unusable('its parameters are out of range');
  return { kind: 'argon2id', memoryKiB, passes, lanes, salt, hash };
}

function unusable(why: string): PasswordHash {
  return { kind: 'unusable', why };
}

/** The parameters by name; undefined when one is there twice. */
function readParams(text: string | undefined): ReadonlyMap<string, string> | undefined {
  const pairs = text === undefined ? [] : text.split(',').map((pair) => pair.split('=', 2));
  const params = new Map(pairs.map(([name = '', value = '']) => [name, value]));
  return params.size === pairs.length ? params : undefined;
}

/** A decimal from 1 to 2^32 - 1; the default when absent. */
function positive(text: string | undefined, byDefault?: number): number | undefined {
  if (text === undefined) return byDefault;
  const value = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  return value > 0 && value <= u32Max ? value : undefined;
}

/** Standard base64 without padding; undefined for all else, also for bits that belong to no byte. */
function fromB64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text ? bytes : undefined;
}
