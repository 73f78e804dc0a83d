import { SyncError } from '../../errors.ts';
import { mediaFilesPerRequestMax } from '../../limits.ts';
import type { ContentSum, UserMedia } from '../../media/user-media.ts';
import type { Answer, Message } from '../message.ts';
import { parseMessage } from '../payload.ts';
import { nothingMoved, type Report } from '../report.ts';
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
      return { kind: 'bytes', bytes: download.bytes, report: reportOf(download) };
    case 'file': {
      const { path, byteLength } = download;
      return { kind: 'file', path, byteLength, afterwards: 'delete', report: reportOf(download) };
    }
    case 'unavailable':
      throw new SyncError('syncConflict', `Cannot send media: not there: ${JSON.stringify(download.names)}`);
    default:
      return download satisfies never;
  }
}

function reportOf({ files, contentBytes }: ContentSum): Report {
  return { media: { ...nothingMoved, filesGot: files, bytesGot: contentBytes } };
}
