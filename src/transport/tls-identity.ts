import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { messageOf } from '../errors.ts';

/** A certificate with its key, checked, and what is to be said about it. */
export interface TlsIdentity {
  readonly context: SecureContextOptions;
  /** Names and addresses that the certificate is for, as in it. */
  readonly names: readonly string[];
  readonly fingerprint: string;
  /** End of its validity, ISO 8601. */
  readonly validTo: string;
  /** It works, but not with every client or not for long. */
  readonly warnings: readonly string[];
}

/** PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate and key that cannot be used. The message names the setting, the file, the cause and the remedy. */
export class TlsIdentityError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'TlsIdentityError';
  }
}

/**
 * TLS 1.2 for iOS and old Android, 1.3 for all others. Only ciphers with forward secrecy and authenticated encryption;
 * the list is the "intermediate" one that Mozilla recommends, without finite-field Diffie-Hellman.
 */
export const tlsPolicy = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
} as const satisfies SecureContextOptions;

/** A certificate that ends sooner is warned of, milliseconds: renewal at the usual third of 90 days has failed by then. */
const expiresSoonMs = 14 * 24 * 3600 * 1000;

/** Reads and checks both files. Throws `TlsIdentityError`. */
export function loadTlsIdentity(files: TlsFiles, nowMs: number): TlsIdentity {
  const certPem = readPem(files.cert, 'SYNC_TLS_CERT');
  const keyPem = readPem(files.key, 'SYNC_TLS_KEY');
  const chain = parseChain(certPem, files.cert);
  const key = parseKey(keyPem, files.key);
  const [leaf] = chain;
  requireMatch(chain, key, files);
  const context = { ...tlsPolicy, cert: certPem, key: keyPem };
  try {
    createSecureContext(context);
  } catch (error) {
    throw new TlsIdentityError(`SYNC_TLS_CERT: ${files.cert} cannot be used: ${messageOf(error)}.`, error);
  }
  return {
    context,
    names: namesOf(leaf),
    fingerprint: leaf.fingerprint256,
    validTo: leaf.validToDate.toISOString(),
    warnings: [...validityWarnings(leaf, files.cert, nowMs), ...chainWarnings(chain, files.cert)],
  };
}

function readPem(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new TlsIdentityError(`${setting}: there is no file ${file}.`, error);
    if (code === 'EACCES')
      throw new TlsIdentityError(`${setting}: ${file} may not be read by the account that runs the server.`, error);
    throw new TlsIdentityError(`${setting}: cannot read ${file}: ${messageOf(error)}.`, error);
  }
}

type Chain = readonly [X509Certificate, ...X509Certificate[]];

function parseChain(pem: string, file: string): Chain {
  const blocks = pem.match(
    /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/gs,
  );
  try {
    const [first, ...others] = (blocks ?? []).map((block) => new X509Certificate(block));
    if (first !== undefined) return [first, ...others];
  } catch (error) {
    throw new TlsIdentityError(
      `SYNC_TLS_CERT: ${file} holds a certificate that cannot be read: ${messageOf(error)}.`,
      error,
    );
  }
  throw new TlsIdentityError(`SYNC_TLS_CERT: ${file} holds no certificate in PEM form.`);
}

function parseKey(pem: string, file: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new TlsIdentityError(
      `SYNC_TLS_KEY: ${file} is encrypted, and nobody is there to type its passphrase. Decrypt it by openssl pkey.`,
    );
  }
  if (!/-----BEGIN (?:\w+ )?PRIVATE KEY-----/.test(pem)) {
    throw new TlsIdentityError(`SYNC_TLS_KEY: ${file} holds no private key in PEM form.`);
  }
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new TlsIdentityError(`SYNC_TLS_KEY: ${file} holds a key that cannot be read: ${messageOf(error)}.`, error);
  }
}

function requireMatch([leaf, ...others]: Chain, key: KeyObject, files: TlsFiles): void {
  if (leaf.checkPrivateKey(key)) return;
  if (others.some((issuer) => issuer.checkPrivateKey(key))) {
    throw new TlsIdentityError(
      `SYNC_TLS_CERT: ${files.cert} has its certificates in the wrong order. The server's own comes first, then its issuers.`,
    );
  }
  throw new TlsIdentityError(
    `SYNC_TLS_KEY: ${files.key} is not the key of the certificate ${files.cert} (${namesOf(leaf).join(', ')}).`,
  );
}

function validityWarnings(leaf: X509Certificate, file: string, nowMs: number): string[] {
  const ends = leaf.validToDate.toISOString();
  if (nowMs > leaf.validToDate.getTime()) return [`SYNC_TLS_CERT: ${file} expired at ${ends}; clients refuse it.`];
  if (nowMs < leaf.validFromDate.getTime()) {
    return [`SYNC_TLS_CERT: ${file} is valid from ${leaf.validFromDate.toISOString()} on only; clients refuse it.`];
  }
  if (nowMs > leaf.validToDate.getTime() - expiresSoonMs) {
    return [`SYNC_TLS_CERT: ${file} expires at ${ends}. Is it not being renewed?`];
  }
  return [];
}

/** A desktop may have learned a missing certificate elsewhere, a phone has not: the classic of wrong set-ups. */
function chainWarnings(chain: Chain, file: string): string[] {
  const [leaf, issuer] = chain;
  const isSelfSigned = leaf.issuer === leaf.subject;
  if (issuer === undefined && !isSelfSigned) {
    return [`SYNC_TLS_CERT: ${file} lacks the certificates of its issuers; phones may refuse it. Use the full chain.`];
  }
  const isBroken = chain.some((each, n) => {
    const next = chain[n + 1];
    return next !== undefined && !each.checkIssued(next);
  });
  if (isBroken) return [`SYNC_TLS_CERT: ${file} has certificates that were not issued by the one behind them.`];
  return [];
}

function namesOf(leaf: X509Certificate): string[] {
  const entries = [...(leaf.subjectAltName ?? '').matchAll(/(?:DNS|IP Address):([^\s,"]+)/g)];
  return entries.map(([, name = '']) => name);
}
