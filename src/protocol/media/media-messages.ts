import type { UserMedia } from '../../media/user-media.ts';
import type { Answer, MediaMethod, Message } from '../message.ts';
import { begin } from './begin.ts';
import { downloadFiles } from './download-files.ts';
import { mediaChanges } from './media-changes.ts';
import { mediaSanity } from './media-sanity.ts';
import { uploadChanges } from './upload-changes.ts';

type MediaHandler = (message: Message, media: UserMedia) => Promise<Answer>;

const HANDLERS: Readonly<Record<MediaMethod, MediaHandler>> = {
  begin,
  mediaChanges,
  uploadChanges,
  downloadFiles,
  mediaSanity,
};

/** Answers any media message. Messages on the media of one user run one at a time. */
export async function answerMediaMessage(message: Message, media: UserMedia): Promise<Answer> {
  if (!isMediaMethod(message.method)) throw new Error(`${message.method} is no media message`);
  return HANDLERS[message.method](message, media);
}

/** Is it the name of a media message? */
export function isMediaMethod(method: string): method is MediaMethod {
  return Object.hasOwn(HANDLERS, method);
}
