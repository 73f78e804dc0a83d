import type { MessageHandler } from './handler.ts';
import { parseMessage } from './payload.ts';

/** `abort`: the client gives its sync up. Always answered with `null`, also when there is none. */
export const answerAbort: MessageHandler = (message, collection, context) => {
  parseMessage(message.payload, context.inflatedBytesMax);
  collection.abort(message, context.nowMs);
  return null;
};
