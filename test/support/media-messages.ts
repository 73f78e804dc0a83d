import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import yauzl from 'yauzl';
import type { UserMedia } from '../../src/media/user-media.ts';
import { answerMediaMessage } from '../../src/protocol/media/media-messages.ts';
import type { Answer, MediaMethod, Message } from '../../src/protocol/message.ts';
import type { UserFolder } from '../../src/user-folder.ts';

/** A message of user "ann" with an uncompressed payload in memory: bytes, or anything that is sent as JSON. */
export function mediaMessage(folder: UserFolder, method: MediaMethod, payload: unknown): Message {
  const bytes = payload instanceof Uint8Array ? Buffer.from(payload) : Buffer.from(JSON.stringify(payload));
  return {
    folder,
    method,
    dress: 'modern',
    payload: { kind: 'bytes', bytes, coding: 'identity' },
    hostKey: 'the host key',
    sessionKey: '',
    clientVersion: '26.09.3,dev,linux',
  };
}

/** The same with the payload in a file of `incoming`, as the transport hands over a zip. */
export function mediaFileMessage(folder: UserFolder, method: MediaMethod, payload: Uint8Array, name = 'body'): Message {
  const path = `${folder.incoming}/${name}`;
  writeFileSync(path, payload);
  return { ...mediaMessage(folder, method, {}), payload: { kind: 'file', path, byteLength: payload.length } };
}

/** The plain body of an answer; a temporary file is deleted, as the transport does. */
export function bodyOf(answer: Answer): Buffer {
  switch (answer.kind) {
    case 'bytes':
      return Buffer.from(answer.bytes);
    case 'zstd':
      return zstdDecompressSync(answer.bytes);
    case 'file': {
      const bytes = readFileSync(answer.path);
      if (bytes.length !== answer.byteLength) throw new Error('byteLength is not the length of the file');
      if (answer.afterwards === 'delete') rmSync(answer.path);
      return bytes;
    }
    default:
      return answer satisfies never;
  }
}

/** Sends a message and reads the JSON of its answer. */
export async function ask(
  media: UserMedia,
  folder: UserFolder,
  method: MediaMethod,
  payload: unknown,
): Promise<unknown> {
  return JSON.parse(bodyOf(await answerMediaMessage(mediaMessage(folder, method, payload), media)).toString());
}

/** Name, content and compression method of every entry of a zip, in the order of its directory. */
export async function readZipEntries(zip: Buffer): Promise<{ name: string; content: Buffer; method: number }[]> {
  const file = await yauzl.fromBufferPromise(zip);
  const entries: { name: string; content: Buffer; method: number }[] = [];
  for await (const entry of file.eachEntry()) {
    const content = await buffer(await file.openReadStreamPromise(entry));
    entries.push({ name: entry.fileName, content, method: entry.compressionMethod });
  }
  return entries;
}
