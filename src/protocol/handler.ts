import { FormatError } from '../collection/format/format-error.ts';
import type { JsonValue } from '../collection/format/json.ts';
import type { SyncWork } from '../collection/sync-work.ts';
import type { UserCollection } from '../collection/user-collection.ts';
import { causesOf, SyncError } from '../errors.ts';
import type { Message } from './message.ts';
import { parseMessage } from './payload.ts';

/** What a message is answered with besides the collection. */
export interface MessageContext {
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
  /** Limit of an inflated body, bytes: a larger collection cannot be synced whole. */
  readonly inflatedBytesMax: number;
  /** The user's last media usn; only `meta` needs it. */
  readonly mediaUsn: number;
}

/** Answers one message on a collection; the returned value is sent as JSON. */
export type MessageHandler = (message: Message, collection: UserCollection, context: MessageContext) => JsonValue;

/**
 * A handler for the messages between `start` and `finish`. A message that does not parse, that has no session key or
 * that belongs to another sync changes nothing; a failure later undoes the whole sync.
 */
export function inSync<Content>(
  read: (body: JsonValue) => Content,
  act: (work: SyncWork, content: Content, collection: UserCollection, context: MessageContext) => JsonValue,
): MessageHandler {
  return (message, collection, context) => {
    const content = read(parseMessage(message.payload, context.inflatedBytesMax));
    requireSessionKey(message);
    const work = collection.resume(message.sessionKey, context.nowMs);
    return undoingOnFailure(collection, message, () => act(work, content, collection, context));
  };
}

/** Stateful messages need a session key. */
export function requireSessionKey(message: Message): void {
  if (message.sessionKey !== '') return;
  throw new SyncError('malformedRequest', `Cannot answer ${message.method}: it has no session key`);
}

/** Runs one step of a sync; when it fails nothing of the whole sync stays. */
export function undoingOnFailure<Result>(collection: UserCollection, message: Message, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    const refusal = asRefusal(message, error);
    const isRefusal = refusal instanceof SyncError && refusal.code !== 'serverFault';
    if (isRefusal) collection.abandon('refused', `${message.method} was refused`, causesOf(refusal));
    else collection.abandon('failed', `${message.method} failed`, causesOf(refusal));
    throw refusal;
  }
}

/** Primary result codes of SQLite that tell of unfit data rather than of a fault of this machine. */
const unfitDataCodes = new Set([18 /* TOOBIG */, 19 /* CONSTRAINT */, 20 /* MISMATCH */, 25 /* RANGE */]);

function asRefusal(message: Message, error: unknown): unknown {
  if (error instanceof FormatError) {
    return new SyncError('collectionInconsistent', `Cannot merge ${message.method}: ${error.message}`, {
      cause: error,
    });
  }
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  if (!unfitDataCodes.has(error.errcode & 0xff)) return error;
  return new SyncError('collectionInconsistent', `Cannot merge ${message.method}: ${error.message}`, { cause: error });
}
