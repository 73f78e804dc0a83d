import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type JsonValue, parseJsonBytes, stringifyJson } from '../../collection/format/json.ts';
import { UserCollection } from '../../collection/user-collection.ts';
import { silentLog } from '../../log.ts';
import { userFolder } from '../../user-folder.ts';
import { answerCollectionMessage } from '../answer.ts';
import type { Message } from '../message.ts';

/** For tests: one user's collection, made from a fixture, and the messages on it without network or threads. */
export class TestSession implements Disposable {
  readonly collection: UserCollection;
  readonly base: string;
  sessionKey = 'abc123';
  nowMs = Date.now();

  constructor(fixture: string) {
    this.base = mkdtempSync(path.join(tmpdir(), 'messages-'));
    const folder = userFolder(this.base, 'learner');
    mkdirSync(folder.root);
    copyFileSync(path.join(import.meta.dirname, '../../../test/fixtures/collections', fixture), folder.collection);
    this.collection = new UserCollection(folder, silentLog);
  }

  /** Sends a message and returns its answer. Refusals are thrown. */
  send(method: Message['method'], body: JsonValue, sessionKey = this.sessionKey): JsonValue {
    const message: Message = {
      folder: this.collection.folder,
      method,
      dress: 'legacy',
      payload: { kind: 'bytes', bytes: Buffer.from(stringifyJson(body)), coding: 'identity' },
      hostKey: '',
      sessionKey,
      clientVersion: sessionKey,
    };
    const context = { nowMs: this.nowMs, inflatedBytesMax: 300 * 1024 * 1024, mediaUsn: 0 };
    const answer = answerCollectionMessage(message, this.collection, context);
    if (answer.kind !== 'bytes') throw new Error('A message on a collection was not answered with bytes');
    return parseJsonBytes(answer.bytes);
  }

  [Symbol.dispose](): void {
    this.collection[Symbol.dispose]();
    rmSync(this.base, { recursive: true, force: true });
  }
}
