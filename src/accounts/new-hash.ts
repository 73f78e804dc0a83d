import { argon2, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { PasswordHash } from './phc.ts';

/** The least that OWASP's Password Storage Cheat Sheet asks for with argon2id: 19 MiB, two passes, one lane. */
const argon2idMemoryKiB = 19_456;
const argon2idPasses = 2;
const argon2idLanes = 1;
/** Rounds of PBKDF2-SHA-256 that the official server uses itself, and that OWASP asks for. */
const pbkdf2Rounds = 600_000;
const saltBytes = 16;
const hashBytes = 32;
/** Longest password, UTF-8 bytes. Far below what a login may weigh. */
const passwordBytesMax = 1024;

const argon2Async = promisify(argon2);
const pbkdf2Async = promisify(pbkdf2);

/** A hash of a password for the file of stored users, as a PHC text. */
export async function newArgon2idHash(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await argon2Async('argon2id', {
    message: password,
    nonce: salt,
    parallelism: argon2idLanes,
    tagLength: hashBytes,
    memory: argon2idMemoryKiB,
    passes: argon2idPasses,
  });
  return `$argon2id$v=19$m=${argon2idMemoryKiB},t=${argon2idPasses},p=${argon2idLanes}$${b64(salt)}$${b64(hash)}`;
}

/** A hash of a password that the official server can read too, as a PHC text. */
export async function newPbkdf2Hash(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await pbkdf2Async(password, salt, pbkdf2Rounds, hashBytes, 'sha256');
  return `$pbkdf2-sha256$i=${pbkdf2Rounds},l=${hashBytes}$${b64(salt)}$${b64(hash)}`;
}

/** Is a stored hash weaker than those that are made today? Then the next login replaces it. */
export function isOutdated(hash: PasswordHash): boolean {
  if (hash.kind !== 'argon2id') return true;
  return hash.memoryKiB * hash.passes < argon2idMemoryKiB * argon2idPasses || hash.hash.length < hashBytes;
}

/** Why this cannot be a password; undefined when it can. */
export function problemOfPassword(password: string): string | undefined {
  if (password === '') return 'The password is empty.';
  if (Buffer.byteLength(password) > passwordBytesMax) {
    return `The password is longer than ${passwordBytesMax} bytes.`;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(password)) return 'The password contains a control character.';
  return password.includes('\ufffd') ? 'The password is not valid UTF-8.' : undefined;
}

/** Standard base64 without padding, as PHC texts have it. */
function b64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
