import { SIZES } from '../data/collections.ts';
import { quantile } from '../load/statistics.ts';
import type { SyncClient } from '../load/sync-client.ts';
import type { Scenario } from '../world.ts';
import { withCollections } from './prepare.ts';

const connections = 16;
/** The first requests open files and let the server's code get warm. */
const warmUp = 200;

export const status: Scenario = {
  name: 'meta',
  title: 'status checks (`meta`) over one connection and over 16',
  async run(world) {
    const tiny = await world.collection(SIZES.tiny);
    const { metaRequests } = world.amounts;
    for (const count of [1, connections]) {
      await using server = await world.start({ users: 1, prepare: withCollections(tiny) });
      const clients = await Promise.all(Array.from({ length: count }, () => world.client(server, 0)));
      await askAll(clients, warmUp);
      const { result, wallMs, cpuMs } = await world.cost(server, () => askAll(clients, metaRequests));
      const work =
        count === 1 ? 'Status check (`meta`), one connection' : `Status check (\`meta\`), ${count} connections`;
      world.note(work, 'median', 'ms', quantile(result, 0.5));
      world.note(work, 'p99', 'ms', quantile(result, 0.99), count === 1 ? { valueMax: 2 } : undefined);
      world.note(work, 'processor time', 'ms', cpuMs / metaRequests, { ratioMax: 2 });
      world.note(work, 'per second', '/s', (metaRequests * 1000) / wallMs);
      for (const client of clients) client.close();
    }
  },
};

/** So many requests in all, spread over the connections. Returns how long each took. */
async function askAll(clients: readonly SyncClient[], requests: number): Promise<number[]> {
  const delaysMs: number[] = [];
  let left = requests;
  await Promise.all(
    clients.map(async (client) => {
      while (left-- > 0) {
        const startedMs = performance.now();
        await client.meta();
        delaysMs.push(performance.now() - startedMs);
      }
    }),
  );
  return delaysMs;
}
