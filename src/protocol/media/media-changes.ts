import type { UserMedia } from '../../media/user-media.ts';
import type { Answer, Message } from '../message.ts';
import { parseMessage } from '../payload.ts';
import { asInt32, asObject } from '../shape.ts';
import { mediaAnswer } from './envelope.ts';

/**
 * `mediaChanges`: what changed after a usn, in the order of the changes. Clients ask again from the usn of the last
 * record until the list is empty. A deleted file has an empty hash: only the oldest clients would take null as well.
 */
export async function mediaChanges(message: Message, media: UserMedia): Promise<Answer> {
  const body = asObject(parseMessage(message.payload), 'mediaChanges');
  const afterUsn = asInt32(body['lastUsn'], 'lastUsn');
  const records = media.changesAfter(afterUsn).map(({ name, usn, sha1 }) => [name, usn, sha1 ?? '']);
  return mediaAnswer(records, {});
}
