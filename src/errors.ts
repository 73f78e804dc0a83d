import { constants } from 'node:os';

/** What went wrong, in sync terms. Each note says what an Anki client does on hearing it. */
export type SyncErrorCode =
  /** Signs out and asks for the password again. */
  | 'hostKeyRejected'
  /** Suggests Check Database, then a full sync. For messages that do not parse or break the protocol's shape. */
  | 'malformedRequest'
  /** The same advice, for data that cannot be merged: note without notetype, wrong field count. */
  | 'collectionInconsistent'
  /** "Only one copy of Anki can sync at once": no session, another session, or a media file that is not there. */
  | 'syncConflict'
  /** "Please update Anki." */
  | 'clientTooOld'
  /** A network error with the status text. */
  | 'payloadTooLarge'
  /** A network error with the status text; older clients show its number or its usual words. */
  | 'tooManyLogins'
  /** A network error with the status text: the client stopped sending. */
  | 'clientTooSlow'
  /** "The server had a problem, try later." */
  | 'serverFault';

/** A refusal that the client must hear. Everything that is not a `SyncError` is a bug or a broken disk. */
export class SyncError extends Error {
  readonly code: SyncErrorCode;

  /** The message names the failed action, then the detail; never a password or a host key. */
  constructor(code: SyncErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SyncError';
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What Node says of a user whose quota is used up: an error whose name it does not know. */
const unknownToNode = `Unknown system error -${constants.errno.EDQUOT}`;

/** A failure with all its causes, in words, for the log. */
export function causesOf(error: unknown): string {
  if (error instanceof SuppressedError) return `${causesOf(error.suppressed)}, and then: ${causesOf(error.error)}`;
  const texts: string[] = [];
  for (let at = error; at !== undefined && texts.length < 5; at = at instanceof Error ? at.cause : undefined) {
    const text = messageOf(at).replaceAll(unknownToNode, 'EDQUOT: disk quota exceeded');
    if (!texts.some((earlier) => earlier.includes(text))) texts.push(text);
  }
  return texts.join(', because: ');
}
