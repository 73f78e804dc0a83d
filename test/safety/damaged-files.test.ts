import assert from 'node:assert/strict';
import { globSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { packedBackup, waitFor } from '../backup/wait.ts';
import { RawStatusError } from '../support/raw-client.ts';
import { type Server, startServer } from '../support/server.ts';
import { fastFolder } from './fast-folder.ts';
import { noteIdsOf, type UploadFile, uploadFile } from './script.ts';
import { SyncDevice } from './sync-device.ts';

const noteId = 1_500_000_000_001;
const logMsMax = 10_000;
/** The server is asked for its health as the first user, whose files stay sound. */
const users = ['healthy', 'ann'];

/** An account with something of everything. */
class World implements AsyncDisposable {
  readonly server: Server;
  readonly device: SyncDevice;
  readonly file: UploadFile;

  static async start(): Promise<World> {
    const base = fastFolder('damaged-');
    const server = await startServer({ kind: 'ours', base, users, passwords: 'plain' });
    const world = new World(server, await uploadFile('rich.anki2'));
    await world.device.upload(world.file.bytes, world.file.state);
    await world.device.sync({ noteIds: [noteId] });
    await world.device.sendMedia([
      ['a.jpg', 'content of a'],
      ['b.jpg', 'content of b'],
    ]);
    // The backup that follows a sync would else come in between.
    await packedBackup(server, 'ann', 'daily');
    await waitFor(() => server.log.includes('Made a backup user="ann"'));
    return world;
  }

  private constructor(server: Server, file: UploadFile) {
    this.server = server;
    this.file = file;
    this.device = new SyncDevice(server.rawClient('ann'));
  }

  /** `<SYNC_BASE>/ann` */
  get folder(): string {
    return path.join(this.server.base, 'ann');
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  /** Is there a file with these bytes, under whatever name? */
  keeps(bytes: Buffer): boolean {
    const files = globSync('**/*', { cwd: this.folder }).map((name) => this.path(name));
    return files.some((file) => statSync(file).isFile() && readFileSync(file).equals(bytes));
  }

  /** The log names the file and says that something is wrong with it. The line comes a moment after the answer. */
  async assertLogged(name: string): Promise<void> {
    const isLogged = () =>
      this.server.log.split('\n').some((line) => / (?:ERROR|WARN) /.test(line) && line.includes(name));
    const deadlineMs = performance.now() + logMsMax;
    while (!isLogged() && performance.now() < deadlineMs) await sleep(10);
    assert.ok(isLogged(), `the log names ${name}:\n${this.server.log}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    rmSync(this.server.base, { recursive: true, force: true });
  }
}

const isRefused = (error: unknown) => error instanceof RawStatusError && error.status >= 400;

function overwrite(file: string, from: number, to: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xff, from, Math.min(to, bytes.length));
  writeFileSync(file, bytes);
}

/** Damages that are seen as soon as the file is opened, and such that only show when the pages are read. */
const atOnce: Readonly<Record<string, (file: string) => void>> = {
  'without its header': (file) => overwrite(file, 0, 100),
  'cut in half': (file) => truncateSync(file, Math.floor(statSync(file).size / 2 / 4096) * 4096),
  'with nothing but zeros': (file) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
};
const inside: Readonly<Record<string, (file: string) => void>> = {
  'with pages in the middle overwritten': (file) => overwrite(file, 200_000, 220_000),
  'with its last pages overwritten': (file) => overwrite(file, statSync(file).size - 40_000, statSync(file).size),
};

for (const [what, damage] of Object.entries({ ...atOnce, ...inside })) {
  test(`a collection ${what} while the server is down is noticed, named, not served and not lost`, async () => {
    await using world = await World.start();
    await world.server.stop();
    damage(world.path('collection.anki2'));
    const damaged = readFileSync(world.path('collection.anki2'));
    await world.server.start();
    if (what in atOnce) await assert.rejects(world.device.sync(), isRefused);
    const downloaded = await world.device.download().catch((error: unknown) => error);
    if (downloaded instanceof Error) {
      assert.ok(isRefused(downloaded), String(downloaded));
      await world.assertLogged('collection.anki2');
      if (what in atOnce) assert.ok(world.keeps(damaged), 'the file stays as it is');
    } else {
      // Pages that are free, or hold what nobody needs, hurt nobody.
      assert.ok(!(what in atOnce));
    }
    // A device that has everything helps: what is left of the damaged file is set aside.
    const before = readFileSync(world.path('collection.anki2'));
    await world.device.upload(world.file.bytes, world.file.state);
    await world.device.sync({ noteIds: [noteId + 1] });
    assert.ok(noteIdsOf(await world.device.download()).has(noteId + 1));
    if (what in atOnce) assert.ok(world.keeps(before) || world.keeps(damaged), 'the damaged file was set aside');
  });
}

test('a collection that is damaged while the server runs is not served', async () => {
  for (const [what, damage] of Object.entries({ ...inside, ...atOnce })) {
    await using world = await World.start();
    damage(world.path('collection.anki2'));
    // What the server has in memory may be enough to mend it.
    const downloaded = await world.device.download().catch((error: unknown) => error);
    if (!(downloaded instanceof Error)) continue;
    assert.ok(isRefused(downloaded), `${what}: ${downloaded}`);
    await world.assertLogged('collection.anki2');
  }
});

for (const [what, damage] of Object.entries(atOnce)) {
  test(`a media index ${what} is noticed, named, not served and not overwritten`, async () => {
    await using world = await World.start();
    await world.server.stop();
    damage(world.path('media.db'));
    const damaged = readFileSync(world.path('media.db'));
    await world.server.start();
    await assert.rejects(world.device.readMedia(), isRefused);
    await assert.rejects(world.device.sendMedia([['c.jpg', 'content']]), isRefused);
    await world.assertLogged('media.db');
    assert.deepEqual(readFileSync(world.path('media.db')), damaged);
    assert.equal(readFileSync(world.path('media/a.jpg'), 'utf8'), 'content of a');
  });
}

for (const when of ['down', 'running'] as const) {
  test(`a media file that changes while the server is ${when} is noticed, named, not served, and kept`, async () => {
    await using world = await World.start();
    if (when === 'down') await world.server.stop();
    writeFileSync(world.path('media/a.jpg'), 'damaged stuff');
    rmSync(world.path('media/b.jpg'));
    if (when === 'down') await world.server.start();
    await assert.rejects(world.device.readMedia(), isRefused);
    await world.assertLogged('a.jpg');
    await world.assertLogged('b.jpg');
    assert.ok(world.keeps(Buffer.from('damaged stuff')), 'it may be all that is left');
    // The devices that have the files send them again.
    await world.device.sendMedia([
      ['a.jpg', 'content of a'],
      ['b.jpg', 'content of b'],
    ]);
    assert.deepEqual(Object.keys(await world.device.readMedia()).sort(), ['a.jpg', 'b.jpg']);
  });
}

test('files that belong to nobody do not disturb: leftovers, foreign files, folders in their place', async () => {
  await using world = await World.start();
  await world.server.stop();
  for (const name of ['collection.anki2.tmp', 'media-batch.json.unreadable', 'media/.hidden', 'media/foreign.txt']) {
    writeFileSync(world.path(name), 'foreign');
  }
  writeFileSync(world.path('media-batch.json'), '{"version": 1, "files": [{"name": "../../x"}]}');
  await world.server.start();
  await world.device.sync({ noteIds: [noteId + 1] });
  await world.device.sendMedia([['c.jpg', 'content of c']]);
  assert.deepEqual(Object.keys(await world.device.readMedia()).sort(), ['a.jpg', 'b.jpg', 'c.jpg']);
  await world.assertLogged('media-batch.json');
  assert.equal(readFileSync(world.path('media/foreign.txt'), 'utf8'), 'foreign');
});
