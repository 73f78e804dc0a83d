import { rm } from 'node:fs/promises';
import { workerData } from 'node:worker_threads';
import { replaceKeeping } from '../backup/keep-replaced.ts';
import { lossOf, restoreCommand } from '../backup/loss-warning.ts';
import { restoreFile } from '../backup/restore.ts';
import { restoreTrashed } from '../backup/trashed-media.ts';
import { PreparationNeeded, UserCollection } from '../collection/user-collection.ts';
import type { MediaChange } from '../media/media-db.ts';
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
    throw error;
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
    return media.of(folder).use((opened) => {
      const files: { name: string; sha1: string }[] = [];
      let page: MediaChange[];
      let lastUsn = -1;
      do {
        page = opened.changesAfter(lastUsn);
        for (const { name, sha1 } of page) if (sha1 !== undefined) files.push({ name, sha1 });
        lastUsn = page.at(-1)?.usn ?? lastUsn;
      } while (page.length > 0);
      return { files };
    });
  },
  async forgetBadMedia({ folder, names }) {
    return media.of(folder).use(async (opened) => {
      const forgotten: string[] = [];
      for (const name of names) {
        const download = await opened.download([name]);
        if (download.kind === 'unavailable') forgotten.push(name);
        if (download.kind === 'file') await rm(download.path, { force: true });
      }
      return { forgotten };
    });
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
