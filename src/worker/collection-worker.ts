import { workerData } from 'node:worker_threads';
import { listIndexed } from '../backup/compare-media.ts';
import { replaceKeeping } from '../backup/keep-replaced.ts';
import { lossOf, restoreCommand } from '../backup/loss-warning.ts';
import { repairMedia } from '../backup/repair-media.ts';
import { restoreFile } from '../backup/restore.ts';
import { restoreTrashed } from '../backup/trashed-media.ts';
import { damageFoundBy } from '../collection/stored-file.ts';
import { PreparationNeeded, UserCollection } from '../collection/user-collection.ts';
import { SyncError } from '../errors.ts';
import { answerCollectionMessage } from '../protocol/answer.ts';
import { acceptUpload } from '../protocol/full-upload.ts';
import { answerMediaMessage } from '../protocol/media/media-messages.ts';
import type { UserFolder } from '../user-folder.ts';
import type { CollectionCalls, CollectionWorkerData } from './collection-calls.ts';
import { MediaHandle } from './media-handle.ts';
import { OpenUsers } from './open-users.ts';
import { serveCalls, workerLog } from './serve-calls.ts';

const { inflatedBytesMax } = workerData as CollectionWorkerData;
const log = workerLog();
const collections = new OpenUsers(
  (folder) => new UserCollection(folder, log),
  (collection) => !collection.hasSync && !collection.isBeingDownloaded,
  (collection) => collection.close(),
);
const media = new OpenUsers(
  (folder) => new MediaHandle(folder, log),
  (handle) => !handle.isBusy,
  (handle) => handle.close(),
);

/** Runs a step on a user's collection; a file that needs work elsewhere first is an answer, not an error. */
function onCollection<Result extends object>(folder: UserFolder, step: (collection: UserCollection) => Result) {
  const collection = collections.of(folder);
  try {
    return { kind: 'done', needsCheckIn: collection.needsCheckIn, ...step(collection) } as const;
  } catch (error) {
    if (error instanceof PreparationNeeded) return { kind: 'prepare', preparation: error.preparation } as const;
    const damage = damageFoundBy(error);
    if (damage === undefined) throw error;
    const { user, collection: file } = folder;
    log.error({ user, path: file, damage }, `The stored collection is damaged; see anki-sync-server verify ${user}`);
    throw new SyncError('serverFault', `The collection ${file} is damaged: ${damage}`, { cause: error });
  }
}

serveCalls<CollectionCalls>({
  async answer(message) {
    const { folder } = message;
    const mediaUsn = message.method === 'meta' ? await media.of(folder).use(({ lastUsn }) => lastUsn) : 0;
    return onCollection(folder, (collection) => {
      const answer = answerCollectionMessage(message, collection, { nowMs: Date.now(), inflatedBytesMax, mediaUsn });
      return { answer, needsCheckIn: collection.needsCheckIn };
    });
  },
  async answerMedia(message) {
    return { answer: await media.of(message.folder).use((opened) => answerMediaMessage(message, opened)) };
  },
  async acceptUpload({ folder, upload }) {
    let kept: string | undefined;
    const text = acceptUpload(collections.of(folder), upload, ({ path: finished, counts }) => {
      const replaced = replaceKeeping({ folder, finished, reason: 'replaced', nowMs: Date.now(), log });
      kept = replaced?.id;
      const loss = replaced?.facts && lossOf(replaced.facts, counts);
      if (replaced === undefined || loss === undefined) return;
      const undo = restoreCommand(folder.user, replaced.id);
      log.warn({ user: folder.user, ...loss, undo }, 'An upload replaced a much larger collection; this undoes it');
    });
    return { text, kept };
  },
  async restoreCollection({ folder, finished }) {
    collections.of(folder).close();
    return { kept: restoreFile(folder, finished, Date.now(), log)?.id };
  },
  async standStill(folder) {
    return onCollection(folder, (collection) => {
      collection.standStill();
      return {};
    });
  },
  async beginDownload({ folder, sessionKey }) {
    return onCollection(folder, (collection) => ({ byteLength: collection.beginDownload(sessionKey, Date.now()) }));
  },
  async copyTo({ folder, target }) {
    return { isWorkingForm: await collections.of(folder).copyTo(target) };
  },
  async endDownload(folder) {
    const collection = collections.of(folder);
    collection.downloadEnded();
    return { needsCheckIn: collection.needsCheckIn };
  },
  async close(folder) {
    const collection = collections.of(folder);
    if (collection.isBeingDownloaded) return false;
    collection.close();
    return true;
  },
  async restoreTrashed({ folder, wish }) {
    return media.of(folder).use((opened) => restoreTrashed(folder, opened, wish));
  },
  async listMedia(folder) {
    return media.of(folder).use((opened) => ({ files: listIndexed(opened) }));
  },
  async repairMedia({ folder, bad, extra }) {
    return media.of(folder).use(async (opened) => {
      const names = new Set(bad);
      const entries = listIndexed(opened).filter(({ name }) => names.has(name));
      return repairMedia(folder, opened, { bad: entries, extra });
    });
  },
  async factsNow(folder) {
    return onCollection(folder, (collection) => ({ facts: collection.facts() }));
  },
  async closeAll() {
    const checkIns = collections.all().filter((collection) => collection.needsCheckIn);
    await media.closeAll();
    for (const collection of collections.all()) collection[Symbol.dispose]();
    return { needCheckIn: checkIns.map((collection) => collection.folder) };
  },
});

const sweepMs = 5_000;
setInterval(() => {
  for (const collection of collections.all()) collection.abandonForgotten(Date.now());
  collections.closeIdle();
  media.closeIdle();
}, sweepMs).unref();
