import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type MediaFile, mediaFiles, uploadBodies } from '../data/media-files.ts';
import { checkRecords, checkZips, MediaDevice } from '../load/media-device.ts';
import { WrongAnswerError } from '../load/sync-client.ts';
import type { ServerProcess, ServerSettings } from '../servers/server-process.ts';
import { megabyte, type Scenario, type World } from '../world.ts';

const smallBytes = 20_000;
const largeBytes = 10_000_000;
const usersAtOnce = 8;

export const media: Scenario = {
  name: 'media',
  title: 'media files up and down, by one user and by eight at once',
  async run(world) {
    const { mediaFiles: count, largeMediaFiles, mediaFilesPerUser } = world.amounts;
    const few = { up: { ratioMin: 1 }, down: { ratioMin: 1 } };
    const many = { up: { ratioMin: 2 }, down: { ratioMin: 0.7 } };
    await upAndDown(
      world,
      `${count.toLocaleString('en')} media files of 20 kB`,
      [mediaFiles(count, smallBytes, 1)],
      few,
    );
    await upAndDown(world, 'Media files of 10 MB', [mediaFiles(largeMediaFiles, largeBytes, 2)], few);
    const sets = Array.from({ length: usersAtOnce }, (_, at) => mediaFiles(mediaFilesPerUser, smallBytes, 3 + at));
    await upAndDown(world, `${usersAtOnce} users, media files of 20 kB`, sets, many);
  },
};

/** Every user sends a set of files and fetches it again, all users at once. */
async function upAndDown(
  world: World,
  work: string,
  sets: readonly (readonly MediaFile[])[],
  target: { readonly up: { ratioMin: number }; readonly down: { ratioMin: number } },
): Promise<void> {
  await using server = await world.start({ users: sets.length, isKept: true });
  const devices = await Promise.all(
    sets.map(async (files, at) => ({
      files,
      bodies: uploadBodies(files),
      device: await mediaDevice(world, server, at),
    })),
  );
  const count = sets.reduce((sum, files) => sum + files.length, 0);
  const up = await world.cost(server, () =>
    Promise.all(devices.map(({ device, bodies, files }) => device.upload(bodies, files.length))),
  );
  for (const { device, files } of devices) checkRecords(await device.changes(), files);
  const down = await world.cost(server, () => Promise.all(devices.map(({ device, files }) => device.download(files))));
  for (const [at, { files }] of devices.entries()) checkZips(down.result[at] ?? [], files);
  world.note(`${work}, up`, 'files per second', '/s', (count * 1000) / up.wallMs, target.up);
  world.note(`${work}, up`, 'processor time per file', 'ms', up.cpuMs / count);
  world.note(`${work}, up`, 'peak memory', 'MB', up.peakBytes / megabyte);
  world.note(`${work}, down`, 'files per second', '/s', (count * 1000) / down.wallMs, target.down);
  world.note(`${work}, down`, 'processor time per file', 'ms', down.cpuMs / count);
  world.note(`${work}, down`, 'peak memory', 'MB', down.peakBytes / megabyte);
  for (const { device } of devices) device.client.close();
}

export const mediaChanges: Scenario = {
  name: 'media-changes',
  title: 'the list of all media changes, page by page',
  async run(world) {
    const { mediaNames } = world.amounts;
    await using server = await world.start({
      users: 1,
      prepare: withMediaIndex(mediaNames),
    });
    const device = await mediaDevice(world, server, 0);
    await device.changes(mediaNames - 1);
    const before = server.cost().residentBytes;
    const { result, wallMs, cpuMs, peakBytes } = await world.cost(server, () => device.changes());
    if (result.length !== mediaNames) throw new WrongAnswerError(`${result.length} names came of ${mediaNames}`);
    const work = `\`mediaChanges\` over ${mediaNames.toLocaleString('en')} names`;
    world.note(work, 'time', 'ms', wallMs);
    world.note(work, 'processor time', 'ms', cpuMs);
    world.note(work, 'memory it took', 'MB', Math.max(0, peakBytes - before) / megabyte);
    device.client.close();
  },
};

/** An index of so many files for the first user, as an account has that has synced them. The files themselves are not asked for. */
export function withMediaIndex(names: number): NonNullable<ServerSettings['prepare']> {
  return async (base, accounts) => {
    const folder = path.join(base, accounts[0]?.name ?? '');
    await mkdir(path.join(folder, 'media'), { recursive: true });
    using db = new DatabaseSync(path.join(folder, 'media.db'));
    db.exec(`
      CREATE TABLE media (
        fname text NOT NULL PRIMARY KEY, csum blob NOT NULL, size int NOT NULL, usn int NOT NULL, mtime int NOT NULL
      );
      CREATE INDEX ix_usn ON media (usn);
      CREATE TABLE meta (last_usn int NOT NULL, total_bytes int NOT NULL, total_nonempty_files int NOT NULL);
      PRAGMA user_version = 4;
      BEGIN;
    `);
    const insert = db.prepare('INSERT INTO media VALUES (?, ?, ?, ?, 1700000000)');
    for (let at = 1; at <= names; at++) {
      const sha1 = Buffer.alloc(20);
      sha1.writeUInt32LE(at);
      insert.run(`a picture of something ${at}.jpg`, sha1, smallBytes, at);
    }
    db.exec(`INSERT INTO meta VALUES (${names}, ${names * smallBytes}, ${names}); COMMIT`);
  };
}

export async function mediaDevice(world: World, server: ServerProcess, user: number): Promise<MediaDevice> {
  return new MediaDevice(await world.client(server, user));
}
