import { SIZES } from '../data/collections.ts';
import { quantile } from '../load/statistics.ts';
import type { SyncDevice } from '../load/sync-device.ts';
import { megabyte, type Scenario, type World } from '../world.ts';
import { withSame } from './prepare.ts';
import { edit, sendStudied, timed } from './sync.ts';

const throughput = { ratioMin: 2 };
const longest = { ratioMax: 0.3 };

export const crowd: Scenario = {
  name: 'crowd',
  title: 'empty and daily syncs of many users at once',
  async run(world) {
    for (const users of world.amounts.crowds) {
      await emptySyncs(world, users);
      if (users > 16 || world.amounts.crowds.length === 1) await dailySyncs(world, users);
    }
  },
};

async function emptySyncs(world: World, users: number): Promise<void> {
  const tiny = await world.collection(SIZES.tiny);
  await using server = await world.start({ users, prepare: withSame(tiny) });
  const devices = await Promise.all(Array.from({ length: users }, (_, at) => world.device(server, at, tiny)));
  await Promise.all(devices.map((device) => device.sync()));
  const rounds = world.amounts.crowdRounds * 4;
  const { result, wallMs, cpuMs, peakBytes } = await world.cost(server, () =>
    everybody(devices, rounds, (each) => each.sync()),
  );
  const work = `Empty syncs of ${users} users at once`;
  const isWanted = users >= 32;
  world.note(work, 'per second', '/s', (users * rounds * 1000) / wallMs, isWanted ? throughput : undefined);
  world.note(work, 'p99', 'ms', quantile(result, 0.99), isWanted ? longest : undefined);
  world.note(work, 'processor time', 'ms', cpuMs / (users * rounds));
  world.note(work, 'peak memory', 'MB', peakBytes / megabyte);
  for (const device of devices) device.client.close();
}

async function dailySyncs(world: World, users: number): Promise<void> {
  const tiny = await world.collection(SIZES.tiny);
  await using server = await world.start({ users, prepare: withSame(tiny) });
  const pairs = await Promise.all(
    Array.from({ length: users }, async (_, at) => ({
      phone: await world.device(server, at, tiny),
      computer: await world.device(server, at, tiny),
    })),
  );
  const delaysMs: number[] = [];
  let [wallMs, cpuMs] = [0, 0];
  for (let round = 0; round < world.amounts.crowdRounds; round++) {
    for (const { computer } of pairs) await edit(computer, tiny);
    const cost = await world.cost(server, () =>
      Promise.all(pairs.map(async ({ phone }) => delaysMs.push(await timed(() => sendStudied(phone, tiny))))),
    );
    wallMs += cost.wallMs;
    cpuMs += cost.cpuMs;
  }
  const work = `Daily syncs of ${users} users at once`;
  const syncs = users * world.amounts.crowdRounds;
  world.note(work, 'per second', '/s', (syncs * 1000) / wallMs, throughput);
  world.note(work, 'p99', 'ms', quantile(delaysMs, 0.99), longest);
  world.note(work, 'processor time', 'ms', cpuMs / syncs);
  for (const { phone, computer } of pairs) {
    phone.client.close();
    computer.client.close();
  }
}

/** Everybody syncs again and again, without waiting for others. Returns how long each sync took. */
async function everybody(
  devices: readonly SyncDevice[],
  rounds: number,
  sync: (device: SyncDevice) => Promise<unknown>,
): Promise<number[]> {
  const delaysMs: number[] = [];
  await Promise.all(
    devices.map(async (device) => {
      for (let left = rounds; left > 0; left--) delaysMs.push(await timed(() => sync(device)));
    }),
  );
  return delaysMs;
}
