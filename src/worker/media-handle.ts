import { setTimeout as sleep } from 'node:timers/promises';
import { causesOf, SyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import { UserMedia } from '../media/user-media.ts';
import { damageFoundBy } from '../storage/sqlite-damage.ts';
import type { UserFolder } from '../user-folder.ts';

/** `meta` waits this long for the media to be opened, milliseconds: making a lost index anew takes as long as it has files. */
const openMsMax = 2_000;

/** One user's media, opened with the first use. Opening takes a moment, and two messages may ask at the same time. */
export class MediaHandle {
  readonly #folder: UserFolder;
  readonly #log: Log;
  #media: Promise<UserMedia> | undefined;
  #users = 0;
  /** Damage was found in the index: it is closed when nobody uses it, and looked at closely when it is opened again. */
  #isSuspect = false;
  #isOpening = false;
  /** Of what was open before: files that came last are brought to the disk first. */
  #closed: Promise<void> = Promise.resolve();

  constructor(folder: UserFolder, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Are the media open? */
  get isOpen(): boolean {
    return this.#media !== undefined;
  }

  /** Is a step running? */
  get isBusy(): boolean {
    return this.#users > 0;
  }

  /** Runs a step on the media; they stay open until it is done. */
  async use<Result>(step: (media: UserMedia) => Result | Promise<Result>): Promise<Result> {
    this.#users += 1;
    try {
      this.#media ??= this.#open();
      return await step(await this.#opened(this.#media));
    } catch (error) {
      throw this.#namingDamage(error);
    } finally {
      this.#users -= 1;
      if (this.#isSuspect && !this.isBusy) await this.close();
    }
  }

  /**
   * Counter of changes, for `meta`, which must neither fail nor wait for the media: undefined when it cannot be had now.
   */
  async lastUsnSoon(): Promise<number | undefined> {
    const lastUsn = this.use((media) => media.lastUsn).catch((error: unknown) => {
      const fields = { user: this.#folder.user, path: this.#folder.mediaDb, reason: causesOf(error) };
      this.#log.error(fields, 'The media cannot be used; the collection can be synced all the same');
      return undefined;
    });
    if (this.isOpen && !this.#isOpening) return lastUsn;
    const timeout = new AbortController();
    const given = sleep(openMsMax, undefined, { signal: timeout.signal }).catch(() => undefined);
    return Promise.race([lastUsn.finally(() => timeout.abort()), given]);
  }

  /** Closes the media; the next use waits for that and opens them again. */
  close(): Promise<void> {
    const media = this.#media;
    this.#media = undefined;
    const before = this.#closed;
    const close = async (): Promise<void> => {
      await before.catch(() => {}); // Whoever closed them has heard of it.
      await (await media?.catch(() => undefined))?.[Symbol.asyncDispose]();
    };
    this.#closed = close();
    return this.#closed;
  }

  async #open(): Promise<UserMedia> {
    this.#isOpening = true;
    try {
      await this.#closed.catch(() => {});
      const media = await UserMedia.open(this.#folder, this.#log, { isSuspect: this.#isSuspect });
      this.#isSuspect = false;
      return media;
    } finally {
      this.#isOpening = false;
    }
  }

  #namingDamage(error: unknown): unknown {
    const damage = damageFoundBy(error);
    if (damage === undefined) return error;
    this.#isSuspect = true;
    const { mediaDb } = this.#folder;
    return new SyncError('serverFault', `The media index ${mediaDb} is damaged: ${damage}`, { cause: error });
  }

  /** Media that could not be opened are tried again by the next use. */
  async #opened(media: Promise<UserMedia>): Promise<UserMedia> {
    try {
      return await media;
    } catch (error) {
      if (this.#media === media) this.#media = undefined;
      throw error;
    }
  }
}
