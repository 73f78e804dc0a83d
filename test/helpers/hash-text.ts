import { argon2Sync, pbkdf2Sync } from 'node:crypto';

export interface HashTextOptions {
  readonly digest?: 'sha256' | 'sha512' | 'argon2id';
  readonly rounds?: number;
  readonly bytes?: number;
  readonly salt?: string;
  /** The parameter part as written; by default what fits. */
  readonly params?: string;
}

/** A PHC text for the password `pass`. */
export function hashText({
  digest = 'sha256',
  rounds = 1000,
  bytes = 32,
  salt = '0123456789abcdef',
  params,
}: HashTextOptions): string {
  if (digest === 'argon2id') {
    const hash = argon2Sync('argon2id', {
      message: 'pass',
      nonce: salt,
      parallelism: 1,
      tagLength: bytes,
      memory: 64,
      passes: 2,
    });
    return `$argon2id$v=19$m=64,t=2,p=1$${b64(Buffer.from(salt))}$${b64(hash)}`;
  }
  const hash = pbkdf2Sync('pass', salt, rounds, bytes, digest);
  const parameters = params ?? `i=${rounds},l=${bytes}`;
  return `$pbkdf2-${digest}${parameters && `$${parameters}`}$${b64(Buffer.from(salt))}$${b64(hash)}`;
}

function b64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
