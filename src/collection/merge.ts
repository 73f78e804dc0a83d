import type { ExactInteger } from '../storage/exact-rows.ts';

/** What merging must know of a stored card or note. */
export interface StoredVersion {
  readonly usn: number;
  readonly mtimeSecs: ExactInteger;
}

/**
 * Does a card or note from a client replace the stored one? If the stored one did not change since the client's last
 * sync, the client simply wins, whatever the times; if both changed, the newer one wins, and a tie keeps the server's.
 */
export function replacesStoredRow(
  stored: StoredVersion | undefined,
  mtimeSecs: ExactInteger,
  clientUsn: number,
): boolean {
  return stored === undefined || stored.usn < clientUsn || stored.mtimeSecs < mtimeSecs;
}

/**
 * Does a notetype, deck or deck config from a client replace the stored one? On a tie the client's is taken, while the
 * client takes the server's: so do all clients and the official server.
 */
export function replacesStoredObject(stored: { readonly mtimeSecs: number } | undefined, mtimeSecs: number): boolean {
  return stored === undefined || stored.mtimeSecs <= mtimeSecs;
}

/**
 * Condition on `usn` for objects that a client has not seen. The official server takes a client usn of -1 for "changed
 * and unsent" and selects only objects with exactly that usn, of which a server has none.
 */
export function isNewsFor(clientUsn: number, usn: number): boolean {
  return clientUsn === -1 ? usn === -1 : usn >= clientUsn;
}
