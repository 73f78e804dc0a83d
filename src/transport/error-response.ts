import { messageOf, SyncError, type SyncErrorCode } from '../errors.ts';

/** HTTP status of each refusal: what clients make of it is told beside `SyncErrorCode`. */
const statusOfCode = {
  hostKeyRejected: 403,
  malformedRequest: 400,
  collectionInconsistent: 400,
  syncConflict: 409,
  clientTooOld: 501,
  payloadTooLarge: 413,
  tooManyLogins: 429,
  clientTooSlow: 408,
  serverFault: 500,
} as const satisfies Record<SyncErrorCode, number>;

/** How a failure is told to the client. */
export interface ErrorResponse {
  readonly status: number;
  /** Reason phrase of the status line: a few words that a person who tries a request by hand can read. */
  readonly reason: string;
  /** As the official server: the status in digits. No client shows it. */
  readonly body: string;
}

const reasonCharsMax = 150;

/** What to answer when something was thrown. What is no refusal is a fault, and its details are for the log only. */
export function errorResponse(thrown: unknown): ErrorResponse {
  const error = firstOf(thrown);
  const status = statusOf(error);
  const reason = status === 500 ? 'Internal Server Error' : messageOf(error);
  return { status, reason: asReasonPhrase(reason), body: String(status) };
}

function statusOf(error: unknown): number {
  return error instanceof SyncError ? statusOfCode[error.code] : 500;
}

/** What went wrong before cleaning up after it went wrong as well. */
function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}

/** Status lines are one line of ASCII. */
function asReasonPhrase(text: string): string {
  const ascii = text.replaceAll(/[^\x20-\x7e]+/g, '?');
  return ascii.length > reasonCharsMax ? `${ascii.slice(0, reasonCharsMax)}...` : ascii;
}
