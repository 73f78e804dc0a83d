import { newArgon2idHash, newPbkdf2Hash } from '../../accounts/new-hash.ts';
import { readNewPassword } from './read-password.ts';

/** `hash [--argon2id]`: a hash for `SYNC_USERn`, by default one that the official server can read too. */
export async function hashCommand(isArgon2id: boolean): Promise<0> {
  const password = await readNewPassword();
  console.log(isArgon2id ? await newArgon2idHash(password) : await newPbkdf2Hash(password));
  if (process.stderr.isTTY) {
    console.error("With PASSWORDS_HASHED=1, this is what follows the colon: SYNC_USER1='name:$…', in single quotes.");
  }
  return 0;
}
