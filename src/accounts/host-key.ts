import { createHmac, hash, randomBytes } from 'node:crypto';

/** Entropy of a random host key, bytes. Clients keep keys as text of any length; the official ones have 40 characters. */
const hostKeyBytes = 32;

/**
 * The host key of an environment user: SHA-1 over the whole value of the user's variable, as in the official server.
 * Devices keep it for years and never log in again by themselves, so it has to stay the same when a server takes the
 * other's place.
 */
export function hostKeyOf(settingValue: string): string {
  return hash('sha1', settingValue, 'hex');
}

/** A host key that says nothing about anybody, lower-case hex. A secret. */
export function newHostKey(): string {
  return randomBytes(hostKeyBytes).toString('hex');
}

/**
 * What is kept of a host key. Keys are long and random, so a plain SHA-256 cannot be searched through. Looking a key up by
 * its digest takes no time that tells anything: nobody can choose a key whose digest is nearly right.
 */
export function digestOf(hostKey: string): string {
  return hash('sha256', hostKey, 'base64');
}

/**
 * Ties a random key to the variable of its user: it can only be computed by whoever has the key, so the file that holds
 * it does not help to guess a password, and with another value of the variable the key fits no more.
 */
export function settingProof(hostKey: string, derivedHostKey: string): string {
  return createHmac('sha256', hostKey).update(derivedHostKey).digest('base64');
}
