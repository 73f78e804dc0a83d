import { zstdCompressSync } from 'node:zlib';
import { filesPerZip, type MediaFile, readZip, sha1Of } from '../data/media-files.ts';
import { type SyncClient, WrongAnswerError } from './sync-client.ts';

/** A record of a media change: name, media usn, SHA-1 or nothing. */
export type MediaRecord = readonly [name: string, usn: number, sha1: string];

/** A device's media messages. */
export class MediaDevice {
  readonly client: SyncClient;

  constructor(client: SyncClient) {
    this.client = client;
  }

  /** Sends zips one after the other. `files` is how many they hold. */
  async upload(bodies: readonly Buffer[], files: number): Promise<void> {
    let processed = 0;
    for (const body of bodies) {
      const text = (await this.client.send('msync/uploadChanges', body)).toString();
      const { data, err } = JSON.parse(text) as { data: [processed: number, usn: number]; err: string };
      if (err !== '') throw new WrongAnswerError(`uploadChanges answers ${err}`);
      processed += data[0];
    }
    if (processed !== files) throw new WrongAnswerError(`${processed} files were taken of ${files}`);
  }

  /** Everything that changed after a media usn, page by page. */
  async changes(after = 0): Promise<MediaRecord[]> {
    const records: MediaRecord[] = [];
    for (let lastUsn = after; ; ) {
      const { data } = (await this.client.call('msync/mediaChanges', `{"lastUsn":${lastUsn}}`)) as {
        data: MediaRecord[];
      };
      for (const [, usn] of data) {
        if (usn <= lastUsn) throw new WrongAnswerError('Media changes do not come in the order of their usn');
        lastUsn = usn;
      }
      if (data.length === 0) return records;
      records.push(...data);
    }
  }

  /** Fetches these files. Returns the zips as they came. */
  async download(files: readonly MediaFile[]): Promise<Buffer[]> {
    const zips: Buffer[] = [];
    for (let at = 0; at < files.length; ) {
      const names = files.slice(at, at + filesPerZip).map(({ name }) => name);
      const zip = await this.client.send('msync/downloadFiles', zstdCompressSync(JSON.stringify({ files: names })));
      zips.push(zip);
      const came = zip.readUInt16LE(zip.length - 12) - 1; // Entries but `_meta`; no comment follows.
      if (came < 1 || came > names.length) throw new WrongAnswerError(`${came} files came of ${names.length}`);
      at += came;
    }
    return zips;
  }
}

/** Are these the files, byte for byte, in their order? */
export function checkZips(zips: readonly Buffer[], files: readonly MediaFile[]): void {
  let at = 0;
  for (const zip of zips) {
    const entries = readZip(zip);
    const names = JSON.parse(entries.get('_meta')?.toString() ?? '{}') as Record<string, string>;
    for (const [entry, content] of entries) {
      if (entry === '_meta') continue;
      const file = files[at++];
      if (file === undefined || names[entry] !== file.name || sha1Of(content) !== sha1Of(file.content)) {
        throw new WrongAnswerError(`Another file came for ${file?.name}`);
      }
    }
  }
  if (at !== files.length) throw new WrongAnswerError(`${at} files came of ${files.length}`);
}

/** Does the index hold exactly these files? */
export function checkRecords(records: readonly MediaRecord[], files: readonly MediaFile[]): void {
  const sha1s = new Map(records.map(([name, , sha1]) => [name, sha1]));
  const wrong = files.find(({ name, content }) => sha1s.get(name) !== sha1Of(content));
  if (wrong !== undefined || sha1s.size !== files.length)
    throw new WrongAnswerError('The index differs from what was sent');
}
