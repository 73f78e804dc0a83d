import path from 'node:path';
import type { Environment, Setting } from './setting.ts';

export const TLS_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_TLS_CERT',
    byDefault: 'none',
    meaning: 'PEM file with the certificate and those of its issuers, for HTTPS. Read again when it changes.',
  },
  {
    name: 'SYNC_TLS_KEY',
    byDefault: 'none',
    meaning: 'PEM file with the private key of the certificate, without passphrase.',
  },
];

/** Absolute paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Which certificate to use; undefined for none. The files are not looked at here. */
export function readTlsFiles(env: Environment, problems: string[]): TlsFiles | undefined {
  const { SYNC_TLS_CERT: cert, SYNC_TLS_KEY: key } = env;
  if (cert === undefined && key === undefined) return undefined;
  for (const [name, value] of Object.entries({ SYNC_TLS_CERT: cert, SYNC_TLS_KEY: key })) {
    if (value === undefined) problems.push(`${name} is not set. HTTPS needs both SYNC_TLS_CERT and SYNC_TLS_KEY.`);
    else if (value === '') problems.push(`${name} is empty. Set it to a PEM file, or unset both for plain HTTP.`);
  }
  return { cert: path.resolve(cert ?? ''), key: path.resolve(key ?? '') };
}
