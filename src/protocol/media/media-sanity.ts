import type { UserMedia } from '../../media/user-media.ts';
import type { Answer, Message } from '../message.ts';
import { parseMessage } from '../payload.ts';
import { asInteger, asObject } from '../shape.ts';
import { mediaAnswer } from './envelope.ts';

/**
 * `mediaSanity`: has the client as many files as the server? If not, it forgets its media index and compares everything
 * at its next sync. Current clients know only these two texts.
 */
export async function mediaSanity(message: Message, media: UserMedia): Promise<Answer> {
  const body = asObject(parseMessage(message.payload), 'mediaSanity');
  const clientCount = asInteger(body['local'], 'local', 0, 0xffff_ffff);
  const isEqual = clientCount === media.fileCount;
  return mediaAnswer(isEqual ? 'OK' : 'mediaSanity', { isOver: isEqual ? 'equal' : 'different' });
}
