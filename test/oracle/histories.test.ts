import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { withoutChance } from '../exchanges/chance.ts';
import { type CollectionContent, collectionContent } from '../exchanges/collection-content.ts';
import { differences } from '../exchanges/differences.ts';
import { newestClient } from '../support/clients.ts';
import { Clock } from '../support/clock/clock.ts';
import { skipWithoutClock } from '../support/clock/clock-library.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { Random } from '../support/random.ts';
import { type Server, serverUnderTest } from '../support/server.ts';
import { DeviceHistory } from './device-history.ts';
import { historySeeds, testIsLong } from './seeds.ts';
import { startUnderClock, TwinWorlds } from './twin-worlds.ts';

const collections = path.join(import.meta.dirname, '../fixtures/collections');
const seeds = historySeeds({ normally: 6, long: 60 });
const stepsPerHistory = testIsLong ? 200 : 90;
const devicesPerHistory = 3;
/** Later than everything in the fixtures; noon, so that the day does not end by itself. */
const startMs = Date.UTC(2026, 11, 1, 12);
const stepsShown = 25;

suite('devices that sync with this server see the same as with the official one', { skip: skipWithoutClock() }, () => {
  let clock: Clock;
  let servers: readonly [Server, Server];

  before(async () => {
    await preparePythonEnv(newestClient);
    clock = new Clock(startMs);
    // Devices are started by the harness in the environment of this process.
    Object.assign(process.env, clock.environment);
    const users = seeds.map((seed) => `seed${seed}`);
    // Aimed at the official server the test compares it with itself: that shows what depends on chance.
    servers = [await startUnderClock(clock, 'official', users), await startUnderClock(clock, serverUnderTest, users)];
  });
  after(async () => {
    for (const server of servers ?? []) await server[Symbol.asyncDispose]();
    clock?.[Symbol.dispose]();
  });

  for (const seed of seeds) {
    test(`HISTORY_SEED=${seed}`, () => compareHistory(seed, clock, servers));
  }

  test('the files that the servers leave hold the same', async () => {
    for (const server of servers) await server.stop();
    for (const seed of seeds) compareFolders(seed, servers);
  });
});

async function compareHistory(seed: number, clock: Clock, servers: readonly [Server, Server]): Promise<void> {
  const random = new Random(seed);
  const user = `seed${seed}`;
  clock.set(startMs + random.integer(0, 999));
  const collection = random.pick([undefined, 'rich.anki2']);
  for (const server of servers) {
    if (collection)
      assert.equal(await server.rawClient(user).upload(readFileSync(path.join(collections, collection))), 'OK');
  }
  await using twins = await TwinWorlds.start(clock, servers, user, devicesPerHistory);
  const history = new DeviceHistory(random, twins);
  try {
    await history.run(stepsPerHistory);
  } catch (error) {
    console.log(`HISTORY_SEED=${seed}: the last steps before it failed\n${history.past.slice(-stepsShown).join('\n')}`);
    throw error;
  }
}

function compareFolders(seed: number, servers: readonly [Server, Server]): void {
  const [expected, actual] = servers.map((server) => {
    const folder = path.join(server.base, `seed${seed}`);
    const file = path.join(folder, 'collection.anki2');
    new DatabaseSync(file).close(); // Ends a journal that the server left behind.
    using media = new DatabaseSync(path.join(folder, 'media.db'));
    return {
      collection: withoutChance(withoutUsnOfGraves(collectionContent(readFileSync(file)))),
      media: media.prepare('SELECT fname, hex(csum) AS csum, size, usn, mtime FROM media ORDER BY fname').all(),
    };
  });
  assert.deepEqual(differences(actual, expected), [], `HISTORY_SEED=${seed}`);
}

/** A deletion that two devices made counts anew here; see `on-purpose.ts`. */
function withoutUsnOfGraves({ graves, ...content }: CollectionContent): CollectionContent {
  const rows = Object.entries(graves ?? {}).map(([key, { usn: _usn, ...row }]) => [key, row]);
  return { ...content, graves: Object.fromEntries(rows) };
}
