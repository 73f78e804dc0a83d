import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { readFiles, sha1Of, TemporaryUser } from '../../../test/support/media.ts';
import { bodyOf, mediaMessage, readZipEntries } from '../../../test/support/media-messages.ts';
import { silentLog } from '../../log.ts';
import { UserMedia } from '../../media/user-media.ts';
import type { UserFolder } from '../../user-folder.ts';
import { answerMediaMessage, isMediaMethod } from './media-messages.ts';

const EXCHANGES = path.join(import.meta.dirname, '../../../test/fixtures/exchanges');

interface RecordedMessage {
  readonly message: string;
  readonly request: { readonly json?: unknown; readonly file?: string; readonly syncHeader: { readonly k: string } };
  readonly response: { readonly json?: unknown; readonly file?: string };
}

interface RecordedIndex {
  readonly last_usn: number;
  readonly media: readonly (readonly [name: string, sha1: string, size: number, usn: number])[];
}

for (const folder of globSync(`${EXCHANGES}/v11-media-*`).sort()) {
  test(`${path.basename(folder)} is answered as the official server did`, async () => {
    using user = new TemporaryUser();
    layOut(user.folder, path.join(folder, 'before'));
    {
      await using media = await UserMedia.open(user.folder, silentLog);
      for (const file of globSync(`${folder}/[0-9]*.json`).sort()) await replay(media, user.folder, file);
    }
    await assertState(user.folder, readIndex(path.join(folder, 'after')));
  });
}

async function replay(media: UserMedia, folder: UserFolder, file: string): Promise<void> {
  const recorded = JSON.parse(readFileSync(file, 'utf8')) as RecordedMessage;
  const [kind, method = ''] = recorded.message.split('/');
  if (kind !== 'msync' || !isMediaMethod(method)) return;
  const { json, file: requestFile, syncHeader } = recorded.request;
  const payload = requestFile === undefined ? json : unpack(path.join(path.dirname(file), requestFile));
  const message = { ...mediaMessage(folder, method, payload), hostKey: syncHeader.k };
  const body = bodyOf(await answerMediaMessage(message, media));
  if (recorded.response.file === undefined) {
    assert.deepEqual(JSON.parse(body.toString()), recorded.response.json, path.basename(file));
    return;
  }
  const expected = unpack(path.join(path.dirname(file), recorded.response.file));
  assert.deepEqual(await entriesOf(body), await entriesOf(expected), path.basename(file));
}

async function entriesOf(zip: Buffer): Promise<unknown[]> {
  const entries = await readZipEntries(zip);
  return entries.map(({ name, content }) => [
    name,
    name === '_meta' ? JSON.parse(content.toString()) : sha1Of(content),
  ]);
}

function layOut(folder: UserFolder, before: string): void {
  mkdirSync(folder.media);
  const index = readIndex(before);
  if (index === undefined) return;
  writeFileSync(folder.mediaDb, unpack(path.join(before, 'media.db.zst')));
  for (const [name, sha1, size] of index.media) {
    if (size > 0)
      writeFileSync(path.join(folder.media, name), unpack(path.join(EXCHANGES, 'media-contents', `${sha1}.zst`)));
  }
}

async function assertState(folder: UserFolder, index: RecordedIndex | undefined): Promise<void> {
  assert.ok(index !== undefined);
  await using media = await UserMedia.open(folder, silentLog);
  assert.equal(media.lastUsn, index.last_usn);
  assert.deepEqual(
    media.changesAfter(0).map(({ name, usn, sha1 }) => [name, usn, sha1 ?? '']),
    index.media.map(([name, sha1, size, usn]) => [name, usn, size > 0 ? sha1 : '']),
  );
  const files = Object.entries(readFiles(folder.media)).map(([name, text]) => [
    name,
    sha1Of(Buffer.from(text, 'latin1')),
  ]);
  const present = index.media.filter(([, , size]) => size > 0).map(([name, sha1]) => [name, sha1]);
  assert.deepEqual(files.sort(), present.sort());
}

function readIndex(folder: string): RecordedIndex | undefined {
  const [file] = globSync(`${folder}/media.json`);
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as RecordedIndex);
}

function unpack(file: string): Buffer {
  return zstdDecompressSync(readFileSync(file));
}
