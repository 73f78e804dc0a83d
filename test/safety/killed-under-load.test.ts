import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import { checkModel } from './account-checks.ts';
import { fastFolder } from './fast-folder.ts';
import { isLong, seedOf } from './random.ts';
import {
  download,
  type Model,
  media,
  nothing,
  type Operation,
  sync,
  type UploadFile,
  upload,
  uploadFile,
} from './script.ts';
import { SyncDevice } from './sync-device.ts';

const users = ['ann', 'bob', 'cid'];
const kills = isLong ? 500 : 40;
const seed = seedOf(1);

/** A user with one device that never rests; it knows what was acknowledged and what was on its way. */
class BusyUser {
  readonly #dice: Random;
  readonly #files: readonly UploadFile[];
  readonly #server: Server;
  readonly #device: SyncDevice;
  #nextId: number;
  #needsDownload = false;
  possible: readonly Model[] = [nothing];
  acknowledged = 0;

  constructor(dice: Random, files: readonly UploadFile[], server: Server, user: string) {
    this.#dice = dice;
    this.#files = files;
    this.#server = server;
    this.#device = new SyncDevice(server.rawClient(user));
    this.#nextId = 1_500_000_000_000 + dice.integer(0, 1_000_000);
  }

  /** Works until the server is gone. */
  async work(isGone: () => boolean): Promise<void> {
    for (;;) {
      const [model] = this.possible;
      if (model === undefined) throw new Error('a user has one state while nothing is on its way');
      const operation = this.#next(model);
      this.possible = [model, operation.after(model)];
      try {
        await operation.run(this.#device, this.#server);
      } catch (error) {
        if (isGone()) return;
        throw error;
      }
      this.possible = [operation.after(model)];
      this.acknowledged += 1;
      this.#needsDownload = false;
      if (isGone()) return;
    }
  }

  /** What the account was found to hold after a restart. */
  goOnFrom(model: Model): void {
    this.possible = [model];
    this.#needsDownload = model.collection !== undefined;
  }

  #next({ collection, media: files }: Model): Operation {
    const dice = this.#dice;
    if (collection === undefined) return upload('first upload', dice.pick(this.#files));
    if (this.#needsDownload) return download('download after a crash');
    const id = this.#nextId++;
    if (dice.chance(0.08)) return upload('upload', dice.pick(this.#files));
    if (dice.chance(0.08)) return download('download');
    if (dice.chance(0.4)) {
      const present = Object.keys(files);
      const doomed = present.length > 5 ? [[dice.pick(present), null] as const] : [];
      return media('media', [[`${dice.integer(0, 9)}.jpg`, `content ${id}`], ...doomed]);
    }
    const own = [...collection.noteIds].filter((noteId) => noteId >= 1_500_000_000_000 && noteId < id);
    return sync('sync', {
      noteIds: [id],
      deletedNoteIds: own.length > 3 ? own.slice(0, 1) : [],
      ...(dice.chance(0.3) && { decks: [{ id: id + 5_000_000_000, name: `Deck ${id}` }], tags: [`tag${id}`] }),
    });
  }
}

test(`a server that is killed ${kills} times at random moments under load loses nothing`, async (t) => {
  const dice = new Random(seed);
  const base = fastFolder('under-load-');
  try {
    await using server = await startServer({ kind: 'ours', base, users, passwords: 'plain' });
    const files = await Promise.all(['fresh-empty.anki2', 'non-ascii-names.anki2'].map(uploadFile));
    const busy = users.map((user) => new BusyUser(dice, files, server, user));
    for (let kill = 1; kill <= kills; kill++) {
      await killWhileBusy(server, busy, dice.integer(5, 400));
      await server.start();
      for (const [index, user] of users.entries()) {
        const one = busy[index];
        if (one === undefined) continue;
        one.goOnFrom(await checkModel(server.rawClient(user), path.join(base, user), one.possible));
      }
    }
    const acknowledged = busy.reduce((sum, one) => sum + one.acknowledged, 0);
    t.diagnostic(`seed ${seed}: ${kills} kills survived, ${acknowledged} operations acknowledged`);
    assert.ok(acknowledged > kills, 'the server was under load');
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});

async function killWhileBusy(server: Server, busy: readonly BusyUser[], afterMs: number): Promise<void> {
  let isGone = false;
  const working = Promise.all(busy.map((user) => user.work(() => isGone)));
  await Promise.race([sleep(afterMs), working]); // Work ends by itself only when something is wrong.
  isGone = true;
  await server.kill();
  await working;
}
