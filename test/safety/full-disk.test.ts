import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { CALLS_OF_ERROR, Faults } from '../support/faults/faults.ts';
import { skipWithoutFaults } from '../support/faults/faults-library.ts';
import { RawStatusError } from '../support/raw-client.ts';
import { startServer } from '../support/server.ts';
import { checkModel } from './account-checks.ts';
import { fastFolder } from './fast-folder.ts';
import { type Model, media, nothing, type Operation, sync, upload, uploadFile } from './script.ts';
import { SyncDevice } from './sync-device.ts';

const diskBytes = 24 * 2 ** 20;
const pieceBytes = 64 * 1024;
/** What is left free, bytes: from nothing at all to enough for some of what is tried. */
const freeBytes = [0, 4096, 12_288, 40_960, 120_000, 300_000];

/** A disk that can be filled up and has room again when the test wants it. */
interface SmallDisk extends Disposable {
  readonly base: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly how: string;
  fill(bytesFree: number): void;
  free(): void;
}

/** A real file system of a few megabytes, where this account may mount one. */
function mountedDisk(): SmallDisk | undefined {
  if (process.platform !== 'linux') return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), 'small-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', folder]);
  if (mounted.status !== 0) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const filler = path.join(folder, 'filler');
  const base = path.join(folder, 'base');
  mkdirSync(base);
  return {
    base,
    environment: {},
    how: 'a mounted file system',
    fill(bytesFree) {
      const file = openSync(filler, 'w');
      const left = () => statfsSync(folder).bavail * statfsSync(folder).bsize - bytesFree;
      while (left() > 0) writeSync(file, Buffer.alloc(Math.min(pieceBytes, left())));
      closeSync(file);
    },
    free: () => rmSync(filler),
    [Symbol.dispose]() {
      spawnSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The same by calls that fail as if the disk were full. */
function pretendedDisk(): SmallDisk {
  const base = fastFolder('full-disk-');
  const faults = new Faults(base);
  return {
    base,
    environment: faults.environment,
    how: 'calls that fail',
    fill: (bytesFree) =>
      faults.arm({
        mode: 'fail from',
        calls: CALLS_OF_ERROR.ENOSPC,
        error: 'ENOSPC',
        at: 1 + Math.floor(bytesFree / 4096),
      }),
    free: () => faults.disarm(),
    [Symbol.dispose]() {
      faults[Symbol.dispose]();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

test('on a disk that fills up requests are refused, nothing is lost, and with room again everything goes on', {
  skip: skipWithoutFaults(),
}, async (t) => {
  using disk = mountedDisk() ?? pretendedDisk();
  const users = ['ann'];
  await using server = await startServer({
    kind: 'ours',
    base: disk.base,
    users,
    passwords: 'plain',
    env: disk.environment,
  });
  const file = await uploadFile('non-ascii-names.anki2');
  const device = new SyncDevice(server.rawClient('ann'));
  let model: Model = nothing;
  let refused = 0;
  const run = async (operation: Operation) => {
    await operation.run(device, server);
    model = operation.after(model);
  };
  const tryFull = async (operation: Operation) => {
    try {
      await run(operation);
    } catch (error) {
      assert.ok(error instanceof RawStatusError && error.status >= 400, String(error));
      refused += 1;
    }
  };
  await run(upload('first upload', file));
  let id = 1_500_000_000_000;
  for (const bytesFree of freeBytes) {
    const all = (): Operation[] => {
      id += 1000;
      const noteIds = Array.from({ length: 40 }, (_, index) => id + index);
      return [
        sync('normal sync', { noteIds }),
        sync('normal sync with names', {
          noteIds: [id + 500],
          decks: [{ id: id + 600, name: `Deck ${id}` }],
          tags: [`t${id}`],
        }),
        media('media', [
          [`${id % 7}.jpg`, `${id}`.repeat(4000)],
          ['always.jpg', `${id}`.repeat(100)],
        ]),
        upload('upload', file),
      ];
    };
    const operations = all();
    disk.fill(bytesFree);
    for (const operation of operations) await tryFull(operation);
    disk.free();
    assert.ok(server.running);
    // What was refused is tried again, in the same process; an upload that was taken has undone the syncs before it.
    for (const operation of all()) await run(operation);
  }
  assert.ok(refused > 0, 'something was refused');
  await checkModel(server.rawClient('ann'), path.join(disk.base, 'ann'), [model]);
  t.diagnostic(`${disk.how}: ${refused} requests refused`);
});
