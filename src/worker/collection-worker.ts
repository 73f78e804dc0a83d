import { workerData } from 'node:worker_threads';
import { listIndexed } from '../backup/compare-media.ts';
import { CannotKeepError, type Kept, replaceKeeping } from '../backup/keep-replaced.ts';
import { lossOf, restoreCommand } from '../backup/loss-warning.ts';
import { rescueStray } from '../backup/missing-collection.ts';
import { repairMedia } from '../backup/repair-media.ts';
import { restoreFile } from '../backup/restore.ts';
import { restoreTrashed } from '../backup/trashed-media.ts';
import { keptCounts } from '../collection/kept-counts.ts';
import { keptSmalls } from '../collection/kept-smalls.ts';
import { PreparationNeeded, UserCollection } from '../collection/user-collection.ts';
import { causesOf, SyncError } from '../errors.ts';
import { answerCollectionMessage } from '../protocol/answer.ts';
import { acceptUpload } from '../protocol/full-upload.ts';
import { answerMediaMessage } from '../protocol/media/media-messages.ts';
import { damageFoundBy } from '../storage/sqlite-damage.ts';
import type { UserFolder } from '../user-folder.ts';
import type { CollectionCalls, CollectionWorkerData } from './collection-calls.ts';
import { MediaHandle } from './media-handle.ts';
import { OpenUsers } from './open-users.ts';
import { serveCalls, tellMainThread, workerLog } from './serve-calls.ts';

const { inflatedBytesMax, knowledge } = workerData as CollectionWorkerData;
keptCounts.takeOver(knowledge?.counts ?? []);
keptSmalls.takeOver(knowledge?.smalls ?? []);
const log = workerLog();
const collections = new OpenUsers(
  (folder) => new UserCollection(folder, log, tellMainThread),
  (collection) => !collection.hasSync && !collection.isBeingDownloaded && !collection.isStray,
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

/** Nothing is replaced that cannot be kept; the log says why it cannot. */
function replaceUnlessUnkept(folder: UserFolder, finished: string): Kept | undefined | 'not kept' {
  try {
    return replaceKeeping({ folder, finished, reason: 'replaced', nowMs: Date.now(), log });
  } catch (error) {
    if (!(error instanceof CannotKeepError)) throw error;
    log.error(
      { user: folder.user, reason: causesOf(error) },
      'Refused a full upload; the stored collection is untouched',
    );
    return 'not kept';
  }
}

function reportUnrescued({ user, collection: file }: UserFolder, error: unknown): void {
  log.error(
    { user, path: file, reason: causesOf(error) },
    'Cannot save what was open of a collection that was taken away',
  );
}

serveCalls<CollectionCalls>({
  async answer({ message, told }) {
    const { folder } = message;
    const knownUsn = message.method === 'meta' ? await media.of(folder).lastUsnSoon() : undefined;
    const mediaUsn = knownUsn ?? 0; // A client with media then begins a media sync, and that hears what is wrong.
    return onCollection(folder, (collection) => {
      if (told !== undefined) collection.rememberMeta(message.sessionKey, told.summary, told);
      const answer = answerCollectionMessage(message, collection, { nowMs: Date.now(), inflatedBytesMax, mediaUsn });
      const { needsCheckIn } = collection;
      const known = message.method === 'finish' || knownUsn !== undefined ? { summary: collection.summary() } : {};
      return { answer, needsCheckIn, mediaUsn: knownUsn, ...known };
    });
  },
  async answerMedia(message) {
    return { answer: await media.of(message.folder).use((opened) => answerMediaMessage(message, opened)) };
  },
  async acceptUpload({ folder, upload }) {
    let kept: string | undefined;
    const text = acceptUpload(collections.of(folder), upload, ({ path: finished, counts }) => {
      const replaced = replaceUnlessUnkept(folder, finished);
      if (replaced === 'not kept') return replaced;
      kept = replaced?.id;
      const loss = replaced?.facts && lossOf(replaced.facts, counts);
      if (replaced === undefined || loss === undefined) return 'replaced';
      const undo = restoreCommand(folder.user, replaced.id);
      log.warn({ user: folder.user, ...loss, undo }, 'An upload replaced a much larger collection; this undoes it');
      return 'replaced';
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
    return onCollection(folder, (collection) => collection.beginDownload(sessionKey, Date.now()));
  },
  async copyTo({ folder, target }) {
    return { isWorkingForm: await collections.of(folder).copyTo(target) };
  },
  async endDownload(folder) {
    const collection = collections.of(folder);
    collection.downloadEnded();
    return { needsCheckIn: collection.needsCheckIn };
  },
  async endSync(folder) {
    collections.of(folder).abandon('aborted', 'its device may not sync any more');
  },
  async closeMedia(folder) {
    await media.of(folder).close();
  },
  async close(folder) {
    const collection = collections.of(folder);
    if (collection.isBeingDownloaded) return false;
    await rescueStray(collection, Date.now(), log);
    collection.close();
    return true;
  },
  async rescue(folder) {
    return { kept: await rescueStray(collections.of(folder), Date.now(), log) };
  },
  async restoreTrashed({ folder, wish }) {
    return media.of(folder).use((opened) => restoreTrashed(folder, opened, wish));
  },
  async mediaTotals(folder) {
    return media.of(folder).use(({ fileCount, totalBytes }) => ({ files: fileCount, bytes: totalBytes }));
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
  async ping() {
    const all = collections.all();
    return {
      collections: all.filter(({ isOpen }) => isOpen).length,
      mediaIndexes: media.all().filter(({ isOpen }) => isOpen).length,
      syncs: all.filter(({ hasSync }) => hasSync).length,
    };
  },
  async knowledgeIfIdle() {
    if (collections.size + media.size > 0) return undefined;
    return { counts: keptCounts.entries(), smalls: keptSmalls.entries() };
  },
  async closeAll() {
    const checkIns = collections.all().filter((collection) => collection.needsCheckIn);
    await media.closeAll();
    for (const collection of collections.all()) {
      await rescueStray(collection, Date.now(), log).catch((error: unknown) =>
        reportUnrescued(collection.folder, error),
      );
      collection[Symbol.dispose]();
    }
    return { needCheckIn: checkIns.map((collection) => collection.folder) };
  },
});

const sweepMs = 5_000;
setInterval(() => {
  for (const collection of collections.all()) collection.abandonForgotten(Date.now());
  collections.closeIdle();
  media.closeIdle();
}, sweepMs).unref();
