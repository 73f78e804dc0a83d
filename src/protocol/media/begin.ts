import { SyncError } from '../../errors.ts';
import type { UserMedia } from '../../media/user-media.ts';
import type { Answer, Message } from '../message.ts';
import { parseMessage } from '../payload.ts';
import { asObject, asText } from '../shape.ts';
import { mediaAnswer } from './envelope.ts';

/**
 * `begin`: tells the counter, and the key for the messages that follow. Legacy clients send only that key (`sk`) from
 * here on, so it is the host key itself. Current clients call this only if `meta` has not told them the counter.
 */
export async function begin(message: Message, media: UserMedia): Promise<Answer> {
  requireClientVersion(message);
  return mediaAnswer({ usn: media.lastUsn, sk: message.hostKey });
}

// Legacy clients say their version in the form or in the query, with or without a payload; current ones in the payload.
function requireClientVersion(message: Message): void {
  if (message.dress === 'legacy' && message.clientVersion !== '') return;
  const body = asObject(parseMessage(message.payload), 'begin');
  if (asText(body['v'], 'v') === '') throw new SyncError('malformedRequest', 'Cannot begin a media sync: v is empty');
}
