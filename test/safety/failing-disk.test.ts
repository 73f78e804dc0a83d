import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/errors.ts';
import { uploadNotKept } from '../../src/protocol/full-upload.ts';
import { command } from '../backup/commands.ts';
import { CALLS_OF_ERROR, type DiskError, type Fault, Faults } from '../support/faults/faults.ts';
import { skipWithoutFaults } from '../support/faults/faults-library.ts';
import { Random } from '../support/random.ts';
import { RawStatusError } from '../support/raw-client.ts';
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
import { SyncDevice, UploadRefusedError } from './sync-device.ts';

const seed = seedOf(1);
/** A request that takes longer hangs, milliseconds. Far more than a busy machine needs. */
const answerMsMax = 60_000;
const logMsMax = 10_000;
/** The share of all faults that a short run tries: an upload makes hundreds of calls, most of them for its backup. */
const shares: Readonly<Record<string, number>> = isLong
  ? { backup: 0.1, restore: 0.1 }
  : { 'full upload': 0.03, 'media upload': 1, backup: 0.02, restore: 0.02 };
const usualShare = isLong ? 1 : 0.12;

/** Everything a client can do, again and again: each returns a new operation of its kind. */
type Kind = (id: number, model: Model) => Operation;

function kindsOf(files: readonly UploadFile[]): Readonly<Record<string, Kind>> {
  return {
    'full upload': (id) => {
      const file = files[id % files.length];
      if (file === undefined) throw new Error('there are no files to upload');
      return upload('full upload', file);
    },
    'normal sync': (id) => sync('normal sync', { noteIds: [id, id + 1], deletedNoteIds: [] }),
    'normal sync with names': (id) =>
      sync('normal sync with names', {
        noteIds: [id],
        decks: [{ id: id + 5_000_000_000, name: `Deck ${id}` }],
        tags: [`tag${id}`],
      }),
    'media upload': (id) =>
      media('media upload', [
        [`${id % 7}.jpg`, `content ${id}`],
        [`${(id + 1) % 7}.jpg`, null],
        [`${(id + 2) % 7}.jpg`, `other content ${id}`],
      ]),
    'full download': () => download('full download'),
  };
}

/** A command of the owner that failed, and what it said. */
class CommandFailedError extends Error {}

async function ownerCommand(server: Server, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await command(server, ...args);
  if (code !== 0) throw new CommandFailedError(stderr);
  return stdout;
}

/** What the owner can do. `first` is what the account held when the backup was made. */
function ownersKinds(user: string, backup: string, first: Model): Readonly<Record<string, Kind>> {
  return {
    backup: () => ({
      name: 'backup',
      kind: 'collection',
      run: async (_device, server) => void (await ownerCommand(server, 'backup', user)),
      after: (before) => before,
    }),
    restore: () => ({
      name: 'restore',
      kind: 'collection',
      run: async (device, server) => {
        await ownerCommand(server, 'restore', user, backup);
        await device.download();
      },
      after: ({ media: now }) => ({
        collection: first.collection && { scm: 'new', noteIds: first.collection.noteIds },
        media: now,
      }),
    }),
  };
}

/** A server with an account, whose disk fails at a test's wish. */
class World implements AsyncDisposable {
  readonly base: string;
  readonly faults: Faults;
  readonly server: Server;
  device: SyncDevice;
  model: Model = nothing;
  #nextId = 1_500_000_000_000;

  static async start(files: readonly UploadFile[]): Promise<World> {
    const base = fastFolder('failing-');
    const faults = new Faults(base);
    const server = await startServer({ kind: 'ours', base, env: faults.environment });
    const world = new World(base, faults, server);
    const [file] = files;
    if (file !== undefined) await world.run(upload('first upload', file));
    return world;
  }

  private constructor(base: string, faults: Faults, server: Server) {
    this.base = base;
    this.faults = faults;
    this.server = server;
    this.device = new SyncDevice(server.rawClient());
  }

  newId(): number {
    this.#nextId += 10;
    return this.#nextId;
  }

  async run(operation: Operation): Promise<void> {
    await operation.run(this.device, this.server);
    this.model = operation.after(this.model);
  }

  /** How many calls that count an operation of this kind makes, with what follows it. */
  async count(kind: Kind, calls: Fault['calls']): Promise<number> {
    this.faults.arm({ mode: 'count', calls });
    await this.run(kind(this.newId(), this.model));
    for (let before = -1; before !== this.faults.steps; await sleep(100)) before = this.faults.steps;
    this.faults.disarm();
    return this.faults.steps;
  }

  /**
   * Runs an operation on a failing disk, then the same again on a sound one. Returns whether the first was refused;
   * undefined when the fault did not happen.
   */
  async tryWith(fault: Fault, kind: Kind): Promise<'refused' | 'done' | undefined> {
    const { faults, server } = this;
    const begun = new Date().toISOString();
    const operation = kind(this.newId(), this.model);
    faults.arm(fault);
    const error = await inTime(operation.run(this.device, this.server)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const { hit } = faults;
    faults.disarm();
    assert.ok(server.running, 'the server goes on');
    if (error !== undefined) {
      if (hit === undefined) throw error;
      if (error instanceof CommandFailedError) assert.match(messageOf(error), tellsOfTheDisk);
      else {
        assertPolite(error, hit);
        await this.#assertLogged(begun);
      }
    }
    await inTime(error === undefined ? this.device.sync() : operation.run(this.device, this.server));
    this.model = operation.after(this.model);
    if (operation.kind === 'media') assert.deepEqual(await this.device.readMedia(), this.model.media);
    return hit === undefined ? undefined : error === undefined ? 'done' : 'refused';
  }

  /** The line is written a moment after the answer; it begins with its time. */
  async #assertLogged(begun: string): Promise<void> {
    const { server } = this;
    const tellsIt = (line: string) =>
      line >= begun &&
      / (?:ERROR|WARN) /.test(line) &&
      line.includes(server.users[0] ?? '') &&
      tellsOfTheDisk.test(line);
    const deadlineMs = performance.now() + logMsMax;
    const isLogged = () => server.log.split('\n').some(tellsIt);
    while (!isLogged() && performance.now() < deadlineMs) await sleep(5);
    assert.ok(isLogged(), 'the log says who had trouble, and that it was the disk');
    assert.doesNotMatch(server.log, /thread died/);
  }

  /** All that was acknowledged is there, now and after a restart. */
  async check(): Promise<void> {
    const [user = ''] = this.server.users;
    const check = () => checkModel(this.server.rawClient(), `${this.base}/${user}`, [this.model]);
    await check();
    await this.server.restart();
    await check();
    if (this.model.collection !== undefined) await this.run(download('after the check'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.faults[Symbol.dispose]();
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** Node tells of some failures to make a folder that it is not there. */
const tellsOfTheDisk =
  /ENOSPC|EIO|EROFS|EMFILE|EDQUOT|disk|I\/O|read-?only|unable to open|full|malformed|damage|ENOENT.*mkdir/i;

function assertPolite(error: unknown, hit: string): void {
  // Never that the client's collection is corrupt.
  if (error instanceof UploadRefusedError) {
    assert.equal(messageOf(error), uploadNotKept);
    return;
  }
  // Half of the answer is on its way by then: all that can be done is to break it off.
  if (
    /^(?:read|open to read) .*collection\.anki2(?:-wal)?$/.test(hit) &&
    /aborted|hang up|ECONNRESET/.test(messageOf(error))
  )
    return;
  assert.ok(error instanceof RawStatusError, `an answer with a status, not ${messageOf(error)}`);
  assert.ok(error.status >= 400, messageOf(error));
}

async function inTime<Result>(promise: Promise<Result>): Promise<Result> {
  const late = Symbol('late');
  const result = await Promise.race([promise, sleep(answerMsMax, late, { ref: false })]);
  if (result === late) throw new Error(`no answer within ${answerMsMax} ms`);
  return result as Result;
}

const disasters: readonly { readonly title: string; readonly error: DiskError; readonly mode: Fault['mode'] }[] = [
  { title: 'a disk that is full', error: 'ENOSPC', mode: 'fail from' },
  { title: 'a disk that has no room for a moment', error: 'ENOSPC', mode: 'fail once' },
  { title: 'a disk that fails at one call', error: 'EIO', mode: 'fail once' },
  { title: 'a disk that has become read-only', error: 'EROFS', mode: 'fail from' },
  { title: 'a process without file handles', error: 'EMFILE', mode: 'fail from' },
  { title: 'a user over the quota', error: 'EDQUOT', mode: 'fail from' },
];

for (const { title, error, mode } of disasters) {
  test(`${title} (${error}): requests are refused, nothing is lost, and syncs go on when it is over`, {
    skip: skipWithoutFaults(),
  }, async (t) => {
    const dice = new Random(seed);
    const files = await Promise.all(['fresh-empty.anki2', 'non-ascii-names.anki2'].map(uploadFile));
    await using world = await World.start(files);
    const calls = CALLS_OF_ERROR[error];
    let tried = 0;
    let refused = 0;
    const [user = ''] = world.server.users;
    await world.run(upload('what is backed up', files[1] ?? (await uploadFile('non-ascii-names.anki2'))));
    const first = world.model;
    const [, backup = ''] = /Made (\S+),/.exec(await ownerCommand(world.server, 'backup', user)) ?? [];
    for (const [name, kind] of Object.entries({ ...kindsOf(files), ...ownersKinds(user, backup, first) })) {
      const steps = await world.count(kind, calls);
      for (let at = 1; at <= steps; at++) {
        if (!dice.chance(shares[name] ?? usualShare) && at !== 1) continue;
        try {
          const outcome = await world.tryWith({ mode, calls, at, error }, kind);
          if (outcome !== undefined) tried += 1;
          if (outcome === 'refused') refused += 1;
        } catch (cause) {
          const where = `${error} at call ${at} of ${steps} of a ${name}: ${world.faults.hit}`;
          throw new Error(`${where}: ${messageOf(cause)}\n${world.server.log.split('\n').slice(-12).join('\n')}`, {
            cause,
          });
        }
      }
      await world.check();
    }
    t.diagnostic(`seed ${seed}: ${tried} faults, ${refused} requests refused`);
    assert.ok(refused > 0, 'some requests were refused');
  });
}
