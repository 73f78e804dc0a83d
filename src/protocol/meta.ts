import type { CollectionSummary } from '../collection/collection-summary.ts';
import { SyncError } from '../errors.ts';
import type { MessageContext, MessageHandler } from './handler.ts';
import type { Message } from './message.ts';
import { parseMessage } from './payload.ts';
import { asInteger, asObject, asText } from './shape.ts';

const syncVersionMin = 8;
const syncVersionMax = 11;

/** What the answer to `meta` is made of. */
export interface MetaFacts {
  readonly summary: CollectionSummary;
  readonly mediaUsn: number;
}

/** What a client was told by `meta`, so that its `start` can tell whether it still holds; and who and when it was. */
export interface ToldMeta {
  readonly summary: CollectionSummary;
  readonly client: string;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

/** Who asks in a `meta`: version of the protocol and words about the client. Throws for what cannot be answered. */
export function readMetaRequest(
  { payload }: Pick<Message, 'payload'>,
  { inflatedBytesMax }: Pick<MessageContext, 'inflatedBytesMax'>,
): { readonly version: number; readonly client: string } {
  const body = asObject(parseMessage(payload, inflatedBytesMax), 'the message');
  const version = asInteger(body['v'], 'v', 0, 255);
  const client = asText(body['cv'], 'cv');
  if (version < syncVersionMin || version > syncVersionMax) {
    throw new SyncError('clientTooOld', `Cannot sync with version ${version} of the protocol; the client is ${client}`);
  }
  return { version, client };
}

/**
 * `meta`: what the collection looks like from outside. Unlike the official server it leaves a running sync of another
 * device alone and tells the last committed state.
 */
export const answerMeta: MessageHandler = (message, collection, context) => {
  const { version, client } = readMetaRequest(message, context);
  const summary = collection.summary();
  collection.rememberMeta(message.sessionKey, summary, { client, nowMs: context.nowMs });
  return metaAnswer(summary, version, context);
};

/** The answer to a client of the given sync version. */
export function metaAnswer(summary: CollectionSummary, version: number, context: MessageContext) {
  const refusal = reasonToRefuse(summary, version);
  return {
    mod: summary.mtimeMs,
    // A file that is too large for a full sync cannot be repaired by one later: the official server asks for it at once.
    scm: summary.byteLength > context.inflatedBytesMax ? context.nowMs : summary.schemaMtimeMs,
    usn: summary.usn,
    ts: Math.floor(context.nowMs / 1000),
    msg: refusal ?? '',
    cont: refusal === undefined,
    hostNum: 0,
    empty: summary.isEmpty,
    media_usn: context.mediaUsn,
  };
}

/** Why this collection is not for clients of that version, in words for their users. */
export function reasonToRefuse(summary: CollectionSummary, version: number): string | undefined {
  if (summary.needsScheduler2 && version < 9) {
    return 'This collection uses the v2 scheduler, which this version of Anki does not know. Please update Anki here.';
  }
  if (summary.needsTimeZones && version < 10) {
    return 'This collection uses the newer time zone handling, which this version of Anki does not know. Please update Anki here.';
  }
  return undefined;
}
