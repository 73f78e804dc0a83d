import { rm, stat } from 'node:fs/promises';
import type { Log } from '../log.ts';
import { inMiB } from '../protocol/media/media-quota.ts';
import type { Answer, Message } from '../protocol/message.ts';
import type { UserFolder } from '../user-folder.ts';
import type { Dispatcher } from './dispatcher.ts';

/** How much each user may store, bytes; undefined for any amount. */
export interface Quota {
  readonly collectionBytesMax: number | undefined;
  readonly mediaBytesMax: number | undefined;
}

/** A user whose collection has grown too large by ordinary syncs is told of in the log once in this time, milliseconds. */
const warnAgainMs = 24 * 3600 * 1000;

/**
 * May this collection be uploaded? One that is no larger than what is stored already is taken: who is beyond the limit
 * has to be able to sync, also when a sync has to be a full one.
 */
export function exceedsCollectionQuota(uploadedBytes: number, storedBytes: number, bytesMax: number): boolean {
  return uploadedBytes > bytesMax && uploadedBytes > storedBytes;
}

/** What clients show in place of success. */
export function collectionQuotaText(bytes: number, bytesMax: number): string {
  return `Nothing was uploaded: your collection is ${inMiB(bytes)} large, and the sync server keeps ${inMiB(bytesMax)} for each user. Delete what you do not need and use Check Database, or ask whoever runs the server.`;
}

/** The same dispatcher, within these limits if there are any. */
export function withQuota(inner: Dispatcher, quota: Quota, log: Log): Dispatcher {
  const isLimited = quota.collectionBytesMax !== undefined || quota.mediaBytesMax !== undefined;
  return isLimited ? new QuotaDispatcher(inner, quota, log) : inner;
}

/**
 * Stands before another dispatcher and refuses what would be too much. An ordinary sync is never refused, whatever it
 * adds: what has been studied is worth more than the limit. It is told in the log.
 */
class QuotaDispatcher implements Dispatcher {
  readonly #inner: Dispatcher;
  readonly #quota: Quota;
  readonly #log: Log;
  readonly #warnedMs = new Map<string, number>();

  constructor(inner: Dispatcher, quota: Quota, log: Log) {
    this.#inner = inner;
    this.#quota = quota;
    this.#log = log;
  }

  async dispatch(message: Message): Promise<Answer> {
    const { collectionBytesMax, mediaBytesMax } = this.#quota;
    if (message.method === 'uploadChanges' && mediaBytesMax !== undefined) {
      return this.#inner.dispatch({ ...message, mediaBytesMax });
    }
    if (collectionBytesMax === undefined) return this.#inner.dispatch(message);
    const refusal = message.method === 'upload' ? await refuseUpload(message, collectionBytesMax) : undefined;
    if (refusal !== undefined) return refusal;
    // Before a sync, because what a sync has just written lies beside the collection at first.
    if (message.method === 'meta') await this.#warnOfGrowth(message.folder, collectionBytesMax);
    return this.#inner.dispatch(message);
  }

  uploadBegins(): void {
    this.#inner.uploadBegins();
  }

  release(user: UserFolder): void {
    this.#inner.release(user);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #warnOfGrowth(folder: UserFolder, bytesMax: number): Promise<void> {
    const bytes = await sizeOf(folder.collection);
    const lastMs = this.#warnedMs.get(folder.user);
    if (bytes <= bytesMax || (lastMs !== undefined && performance.now() - lastMs < warnAgainMs)) return;
    this.#warnedMs.set(folder.user, performance.now());
    this.#log.warn({ user: folder.user, bytes, bytes_max: bytesMax }, 'A collection is larger than its quota');
  }
}

async function refuseUpload({ folder, payload }: Message, bytesMax: number): Promise<Answer | undefined> {
  if (payload.kind !== 'file') return undefined;
  if (!exceedsCollectionQuota(payload.byteLength, await storedBytesOf(folder), bytesMax)) return undefined;
  await rm(payload.path, { force: true });
  const text = collectionQuotaText(payload.byteLength, bytesMax);
  return { kind: 'bytes', bytes: Buffer.from(text), report: { refusal: text } };
}

/** At most: part of the log may be in the file already. */
async function storedBytesOf({ collection }: UserFolder): Promise<number> {
  return (await sizeOf(collection)) + (await sizeOf(`${collection}-wal`));
}

async function sizeOf(file: string): Promise<number> {
  const info = await stat(file).catch(() => undefined);
  return info?.size ?? 0;
}
