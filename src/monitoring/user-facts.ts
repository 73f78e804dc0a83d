import { stat } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { listBackups } from '../backup/backup-folder.ts';
import type { UserFolder } from '../user-folder.ts';
import type { MediaTotals } from '../worker/collection-calls.ts';

/** What a user has on the disk. */
export interface UserFacts {
  readonly collectionBytes: number;
  /** Time of the collection file, epoch milliseconds; undefined when there is none. */
  readonly collectionMtimeMs: number | undefined;
  readonly media: MediaTotals;
  /** Changes when the media index was written. */
  readonly mediaMark: string;
  readonly backups: number;
  readonly backupBytes: number;
  /** Epoch milliseconds. */
  readonly newestBackupMs: number | undefined;
}

/** Facts of users who have not synced are looked up again after this long, milliseconds: commands may have changed them. */
export const factsStaleMs = 5 * 60 * 1000;
/** Whoever asks waits this long for facts, milliseconds; what is not there by then comes with a later question. */
const waitMsMax = 3_000;

export type ReadMediaTotals = (folder: UserFolder) => Promise<MediaTotals>;

/** Looks up what users have on the disk: soon after they synced, and else seldom. One user after another. */
export class KnownUserFacts {
  readonly #mediaTotals: ReadMediaTotals;
  readonly #facts = new Map<string, { readonly facts: UserFacts; readonly readMs: number }>();
  readonly #changed = new Set<string>();
  readonly #nowMs: () => number;
  #refreshing: Promise<void> | undefined;

  constructor(mediaTotals: ReadMediaTotals, nowMs: () => number = () => performance.now()) {
    this.#mediaTotals = mediaTotals;
    this.#nowMs = nowMs;
  }

  /** The user's files may have changed. */
  changed(user: string): void {
    this.#changed.add(user);
  }

  /** The facts of these users as far as they are known, by name. */
  async of(folders: readonly UserFolder[]): Promise<ReadonlyMap<string, UserFacts>> {
    this.#refreshing ??= this.#refresh(folders).finally(() => {
      this.#refreshing = undefined;
    });
    const patience = AbortSignal.timeout(waitMsMax);
    await Promise.race([this.#refreshing, new Promise((resolve) => patience.addEventListener('abort', resolve))]);
    const users = new Set(folders.map(({ user }) => user));
    for (const user of this.#facts.keys()) if (!users.has(user)) this.#facts.delete(user);
    return new Map([...this.#facts].map(([user, { facts }]) => [user, facts]));
  }

  async #refresh(folders: readonly UserFolder[]): Promise<void> {
    for (const folder of folders) {
      const { user } = folder;
      const known = this.#facts.get(user);
      const hasChanged = this.#changed.delete(user);
      if (known !== undefined && !hasChanged && this.#nowMs() - known.readMs < factsStaleMs) continue;
      const before = hasChanged ? undefined : known?.facts;
      const facts = await readUserFacts(folder, this.#mediaTotals, before).catch(() => undefined);
      // Who cannot be looked up now has old facts, or none; the failing syncs are in the log.
      if (facts !== undefined) this.#facts.set(user, { facts, readMs: this.#nowMs() });
      await nextTurn(); // Listing backups is synchronous.
    }
  }
}

/**
 * Looks up what a user has. The media index is only opened if it was written since `before`: opening those of all users
 * writes a little for each.
 */
export async function readUserFacts(
  folder: UserFolder,
  mediaTotals: ReadMediaTotals,
  before: UserFacts | undefined,
): Promise<UserFacts> {
  const collection = await stat(folder.collection).catch(() => undefined);
  const index = await stat(folder.mediaDb).catch(() => undefined);
  const mediaMark = index === undefined ? 'none' : `${index.mtimeMs} ${index.size}`;
  const media = before?.mediaMark === mediaMark ? before.media : await mediaTotals(folder);
  const backups = listBackups(folder);
  return {
    collectionBytes: collection?.size ?? 0,
    collectionMtimeMs: collection?.mtimeMs,
    media,
    mediaMark,
    backups: backups.length,
    backupBytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
    newestBackupMs: backups.at(-1)?.atMs,
  };
}
