import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fastFolder } from '../../test/safety/fast-folder.ts';
import { listeningLog } from '../../test/support/media.ts';
import type { KeepingPolicy } from '../backup/retention.ts';
import { COLLECTIONS } from '../collection/test-files.ts';
import { SyncError } from '../errors.ts';
import type { Dress, Message } from '../protocol/message.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { Lanes, type LanesOptions } from './lanes.ts';

const policy: KeepingPolicy = {
  replacedDays: 30,
  days: 14,
  weeks: 8,
  months: 12,
  bytesMax: 0,
  trashDays: 30,
  trashBytesMax: 0,
};

/** Lanes over one user, whose log is listened to. */
class World implements AsyncDisposable {
  readonly base = fastFolder('downloads-');
  readonly folder: UserFolder = userFolder(this.base, 'ann');
  readonly #listening = listeningLog();
  readonly lanes: Lanes;

  constructor(options: Partial<LanesOptions> = {}) {
    mkdirSync(this.folder.incoming, { recursive: true });
    copyFileSync(path.join(COLLECTIONS, 'rich.anki2'), this.folder.collection);
    this.lanes = new Lanes({
      inflatedBytesMax: 1e9,
      base: this.base,
      policy,
      log: this.#listening.log,
      checkWaitMsMax: 3_000,
      ...options,
    });
  }

  get errors(): string[] {
    return this.#listening.lines.filter(({ level }) => level === 'error').map(({ text }) => text);
  }

  download(dress: Dress) {
    const payload = { kind: 'bytes', bytes: new Uint8Array(Buffer.from('{}')), coding: 'identity' } as const;
    const message: Message = {
      folder: this.folder,
      method: 'download',
      dress,
      payload,
      hostKey: 'key',
      sessionKey: '',
      clientVersion: '',
    };
    return this.lanes.dispatch(message);
  }

  /** Pages that no sync reads. */
  damage(): void {
    writeFileSync(this.folder.collection, readFileSync(this.folder.collection).fill(0xff, 200_000, 220_000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lanes.close();
    rmSync(this.base, { recursive: true, force: true });
  }
}

const isNamed = (error: unknown) =>
  error instanceof SyncError && error.code === 'serverFault' && /collection\.anki2, it is damaged/.test(error.message);

test('an old client, which gets a converted copy, is not given a damaged collection either', async () => {
  await using world = new World();
  const whole = await world.download('legacy');
  assert.equal(whole.kind === 'file' && whole.afterwards, 'delete');
  if (whole.kind === 'file') rmSync(whole.path);
  world.damage();
  await assert.rejects(world.download('legacy'), isNamed);
  assert.match(world.errors.join(), /The stored collection is damaged; see anki-sync-server verify ann/);
  assert.deepEqual(readdirSync(world.folder.incoming), []);
});

test('a device that downloads while another one does gets a checked copy', async () => {
  await using world = new World();
  const first = await world.download('modern');
  assert.equal(first.kind === 'file' && first.afterwards, 'release');
  const second = await world.download('modern');
  assert.equal(second.kind === 'file' && second.afterwards, 'delete');
  if (second.kind === 'file') rmSync(second.path);
  if (first.kind === 'file') await first.soundness;
  world.damage();
  // What is in memory may be sound: then so is the copy.
  const third = await world.download('modern').catch((error: unknown) => error);
  if (third instanceof Error) assert.ok(isNamed(third) || /for a download; see/.test(third.message), third.message);
  else assert.deepEqual(world.errors, []);
  world.lanes.release(world.folder);
  // From here on it is the file itself again.
  await assert.rejects(world.download('modern'), isNamed);
});

test('a download leaves before its check is done, and the device that got part of it is told plainly the next time', async () => {
  await using world = new World({ checkWaitMsMax: 0 });
  world.damage();
  const answer = await world.download('modern');
  assert.ok(answer.kind === 'file' && answer.soundness !== undefined);
  await assert.rejects(answer.soundness, isNamed);
  world.lanes.release(world.folder);
  await assert.rejects(world.download('modern'), isNamed);
  assert.equal(world.errors.length, 2);
});

test('a whole collection is on its way at once again when it was mended', async () => {
  await using world = new World();
  world.damage();
  await assert.rejects(world.download('modern'), isNamed);
  await world.lanes.inCollectionLane(world.folder, async () => {
    await world.lanes.closeInLane(world.folder);
    copyFileSync(path.join(COLLECTIONS, 'rich.anki2'), world.folder.collection);
  });
  const answer = await world.download('modern');
  assert.ok(answer.kind === 'file');
  await answer.soundness;
  world.lanes.release(world.folder);
});
