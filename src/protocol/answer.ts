import type { UserCollection } from '../collection/user-collection.ts';
import { answerAbort } from './abort.ts';
import { answerApplyChunk } from './apply-chunk.ts';
import { answerApplyChanges } from './changes.ts';
import { answerChunk } from './chunk.ts';
import { answerFinish } from './finish.ts';
import { answerApplyGraves } from './graves.ts';
import type { MessageContext, MessageHandler } from './handler.ts';
import { reportedAnswer } from './json-answer.ts';
import type { Answer, Message, SyncMethod } from './message.ts';
import { answerMeta } from './meta.ts';
import { answerSanityCheck } from './sanity-check.ts';
import { answerStart } from './start.ts';

type CollectionMethod = Exclude<SyncMethod, 'hostKey' | 'upload' | 'download'>;

const HANDLERS: Readonly<Record<CollectionMethod, MessageHandler>> = {
  meta: answerMeta,
  start: answerStart,
  applyGraves: answerApplyGraves,
  applyChanges: answerApplyChanges,
  chunk: answerChunk,
  applyChunk: answerApplyChunk,
  sanityCheck2: answerSanityCheck,
  finish: answerFinish,
  abort: answerAbort,
};

/** Answers any message on a collection except a full sync. */
export function answerCollectionMessage(message: Message, collection: UserCollection, context: MessageContext): Answer {
  if (!isCollectionMethod(message.method)) throw new Error(`${message.method} is no message on a collection`);
  const value = HANDLERS[message.method](message, collection, context);
  return reportedAnswer(message.method, value, message.dress);
}

function isCollectionMethod(method: string): method is CollectionMethod {
  return Object.hasOwn(HANDLERS, method);
}
