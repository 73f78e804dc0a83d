import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fastFolder } from '../../../test/safety/fast-folder.ts';
import { listeningLog } from '../../../test/support/media.ts';
import { keepingPolicy } from '../../backup/testing/keeping-policy.ts';
import { COLLECTIONS } from '../../collection/test-files.ts';
import type { Message } from '../../protocol/message.ts';
import { type UserFolder, userFolder } from '../../user-folder.ts';
import { Lanes, type LanesOptions } from '../lanes.ts';

/** Lanes over one user with a collection, whose log is listened to. */
export class LaneWorld implements AsyncDisposable {
  readonly base = fastFolder('lanes-');
  readonly folder: UserFolder = userFolder(this.base, 'ann');
  readonly lanes: Lanes;
  readonly #listening = listeningLog();

  constructor(options: Partial<LanesOptions> = {}) {
    mkdirSync(this.folder.incoming, { recursive: true });
    copyFileSync(path.join(COLLECTIONS, 'rich.anki2'), this.folder.collection);
    this.lanes = new Lanes({
      inflatedBytesMax: 1e9,
      base: this.base,
      policy: keepingPolicy,
      log: this.#listening.log,
      ...options,
    });
  }

  get errors(): string[] {
    return this.#listening.lines.filter(({ level }) => level === 'error').map(({ text }) => text);
  }

  /** Sends one message of a client. */
  ask(
    method: Message['method'],
    content: object = {},
    { dress = 'modern', sessionKey = '' }: Partial<Pick<Message, 'dress' | 'sessionKey'>> = {},
  ) {
    const bytes = new Uint8Array(Buffer.from(JSON.stringify(content)));
    const payload = { kind: 'bytes', bytes, coding: 'identity' } as const;
    const client = { hostKey: 'key', sessionKey, clientVersion: '26.09.3,test,linux' };
    return this.lanes.dispatch({ folder: this.folder, method, dress, payload, ...client });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lanes.close();
    rmSync(this.base, { recursive: true, force: true });
  }
}
