import { constants, zstdCompressSync } from 'node:zlib';
import { type JsonValue, stringifyJson } from '../collection/format/json.ts';
import type { UserCollection } from '../collection/user-collection.ts';
import { answerAbort } from './abort.ts';
import { answerApplyChunk } from './apply-chunk.ts';
import { answerApplyChanges } from './changes.ts';
import { answerChunk } from './chunk.ts';
import { answerFinish } from './finish.ts';
import { answerApplyGraves } from './graves.ts';
import type { MessageContext, MessageHandler } from './handler.ts';
import type { Answer, Dress, Message, SyncMethod } from './message.ts';
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

/** Level 1: bodies are small and short-lived, and level 3 saves nothing on them. */
const zstdLevel = 1;

/** Answers any message on a collection except a full sync. */
export function answerCollectionMessage(message: Message, collection: UserCollection, context: MessageContext): Answer {
  if (!isCollectionMethod(message.method)) throw new Error(`${message.method} is no message on a collection`);
  return jsonAnswer(HANDLERS[message.method](message, collection, context), message.dress);
}

/** A JSON body, compressed here, off the main thread, if the client expects it. */
export function jsonAnswer(value: JsonValue, dress: Dress): Answer {
  const plain = Buffer.from(stringifyJson(value));
  if (dress === 'legacy') return { kind: 'bytes', bytes: plain };
  const bytes = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } });
  return { kind: 'zstd', bytes, originalBytes: plain.byteLength };
}

function isCollectionMethod(method: string): method is CollectionMethod {
  return Object.hasOwn(HANDLERS, method);
}
