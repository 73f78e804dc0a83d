import { SyncError } from '../../errors.ts';
import { mediaFilesPerRequestMax } from '../../limits.ts';
import type { UserMedia } from '../../media/user-media.ts';
import type { Answer, Message } from '../message.ts';
import { parseMessage } from '../payload.ts';
import { asList, asObject, asText } from '../shape.ts';

/**
 * `downloadFiles`: a bare zip with the first files of the list. A file that cannot be had is refused as a conflict: the
 * client stops, and no longer hears of that file the next time.
 */
export async function downloadFiles(message: Message, media: UserMedia): Promise<Answer> {
  const body = asObject(parseMessage(message.payload), 'downloadFiles');
  const names = asList(body['files'], 'files').map((name) => asText(name, 'a name in files'));
  if (names.length > mediaFilesPerRequestMax) {
    throw new SyncError('malformedRequest', `Cannot send media: ${names.length} files asked for in one message`);
  }
  const download = await media.download(names);
  switch (download.kind) {
    case 'bytes':
      return download;
    case 'file':
      return { ...download, afterwards: 'delete' };
    case 'unavailable':
      throw new SyncError('syncConflict', `Cannot send media: not there: ${JSON.stringify(download.names)}`);
    default:
      return download satisfies never;
  }
}
