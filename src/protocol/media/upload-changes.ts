import { rmSync } from 'node:fs';
import { type JsonValue, parseJsonBytes } from '../../collection/format/json.ts';
import { messageOf, SyncError } from '../../errors.ts';
import { jsonBytesMax, mediaFilesPerRequestMax } from '../../limits.ts';
import { type MediaName, parseMediaName } from '../../media/media-name.ts';
import type { ReceivedContent } from '../../media/media-store.ts';
import type { UploadedChange } from '../../media/plan-upload.ts';
import type { UserMedia } from '../../media/user-media.ts';
import { UploadZip } from '../../media/zip-in.ts';
import { Turn } from '../../storage/turn.ts';
import type { Answer, Message, Payload } from '../message.ts';
import { openPayload } from '../payload.ts';
import { asList, asText } from '../shape.ts';
import { mediaAnswer, mediaRefusal } from './envelope.ts';
import { exceedsMediaQuota, mediaQuotaText } from './media-quota.ts';

/** One pair of `_meta`: a file name, and the zip entry that holds its content; without one the file is deleted. */
export interface UploadPair {
  readonly name: MediaName;
  readonly entryName: string | undefined;
}

/**
 * `uploadChanges`: additions, changes and deletions in one zip. Everything is checked before anything is changed. The
 * answer counts all pairs, also those that changed nothing: the client takes so many of its pending files for done, and
 * would send a zip for ever that counts nothing.
 */
export async function uploadChanges(message: Message, media: UserMedia): Promise<Answer> {
  await using files = new TemporaryFiles();
  await using zip = await UploadZip.open(zipIn(message.payload, files));
  const pairs = readUploadMeta(await zip.meta());
  const changes = await extractAll(zip, pairs, () => files.add(media.temporaryPath()));
  const { mediaBytesMax } = message;
  if (mediaBytesMax !== undefined) {
    const growth = { bytesBefore: media.totalBytes, bytesAfter: media.bytesAfter(changes) };
    if (exceedsMediaQuota(growth, mediaBytesMax)) return mediaRefusal(mediaQuotaText(growth, mediaBytesMax));
  }
  const { usn, filesStored, bytesStored, filesDeleted } = await media.upload(changes);
  return mediaAnswer([pairs.length, usn], { filesSent: filesStored, bytesSent: bytesStored, filesDeleted });
}

/** Reads `_meta`, a JSON list of pairs; a name that cannot be stored refuses the whole message. */
export function readUploadMeta(bytes: Uint8Array): UploadPair[] {
  const pairs = asList(parseMeta(bytes), '_meta');
  if (pairs.length > mediaFilesPerRequestMax) throw refusal(`${pairs.length} files in one message`);
  return pairs.map((value) => {
    const pair = asList(value, 'a pair of _meta');
    if (pair.length !== 2) throw refusal('a pair of _meta has not two members');
    const [name, entryName] = pair;
    return { name: mediaName(asText(name, 'a file name of _meta')), entryName: entryNameOf(entryName) };
  });
}

// Python and AnkiDroid send '' for a deleted file, all others null.
function entryNameOf(value: JsonValue | undefined): string | undefined {
  if (value === null) return undefined;
  return asText(value, 'an entry name of _meta') || undefined;
}

function mediaName(text: string): MediaName {
  const parsed = parseMediaName(text);
  if (parsed.kind === 'refused') throw refusal(`the name ${JSON.stringify(text)} is ${parsed.reason}`);
  return parsed.name;
}

function parseMeta(bytes: Uint8Array): JsonValue {
  try {
    return parseJsonBytes(bytes);
  } catch (error) {
    throw refusal(`_meta does not parse: ${messageOf(error)}`, error);
  }
}

// Several pairs may share an entry: it is read once.
async function extractAll(
  zip: UploadZip,
  pairs: readonly UploadPair[],
  newPath: () => string,
): Promise<UploadedChange<ReceivedContent>[]> {
  const contents = new Map<string, ReceivedContent>();
  const turn = new Turn();
  for (const { entryName } of pairs) {
    if (entryName !== undefined && !contents.has(entryName)) {
      contents.set(entryName, await zip.extract(entryName, newPath));
    }
    if (turn.isOver) await turn.next();
  }
  return pairs.map(({ name, entryName }) => ({ name, content: (entryName && contents.get(entryName)) || undefined }));
}

/** A small zip came in memory, any other in a file. */
function zipIn(payload: Payload, files: TemporaryFiles): Buffer | string {
  if (payload.kind === 'file') return files.add(payload.path);
  const { buffer, byteOffset, byteLength } = openPayload(payload, jsonBytesMax);
  return Buffer.from(buffer, byteOffset, byteLength);
}

function refusal(reason: string, cause?: unknown): SyncError {
  return new SyncError('malformedRequest', `Cannot store media: ${reason}`, { cause });
}

/** Files of one message; those that have not been moved elsewhere are gone when it is answered, however it ends. */
class TemporaryFiles implements AsyncDisposable {
  readonly #paths: string[] = [];

  add(path: string): string {
    this.#paths.push(path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Most are moved away by now. That takes a few microseconds, a trip to another thread ten times as much.
    for (const path of this.#paths) rmSync(path, { force: true });
  }
}
