import type { Log } from '../log.ts';
import { UserMedia } from '../media/user-media.ts';
import type { UserFolder } from '../user-folder.ts';

/** One user's media, opened with the first use. Opening takes a moment, and two messages may ask at the same time. */
export class MediaHandle {
  readonly #folder: UserFolder;
  readonly #log: Log;
  #media: Promise<UserMedia> | undefined;
  #users = 0;

  constructor(folder: UserFolder, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Is a step running? */
  get isBusy(): boolean {
    return this.#users > 0;
  }

  /** Runs a step on the media; they stay open until it is done. */
  async use<Result>(step: (media: UserMedia) => Result | Promise<Result>): Promise<Result> {
    this.#users += 1;
    try {
      this.#media ??= UserMedia.open(this.#folder, this.#log);
      return await step(await this.#opened(this.#media));
    } finally {
      this.#users -= 1;
    }
  }

  /** Closes the media; the next use opens them again. */
  async close(): Promise<void> {
    const media = this.#media;
    this.#media = undefined;
    await (await media?.catch(() => undefined))?.[Symbol.asyncDispose]();
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
