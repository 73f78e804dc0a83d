import { setTimeout as sleep } from 'node:timers/promises';
import { studied } from '../data/changes.ts';
import { SIZES } from '../data/collections.ts';
import { mediaFiles, uploadBodies } from '../data/media-files.ts';
import { median } from '../load/statistics.ts';
import { WrongAnswerError } from '../load/sync-client.ts';
import { noRows } from '../load/sync-device.ts';
import { megabyte, type Scenario, type World } from '../world.ts';
import { mediaDevice, withMediaIndex } from './media.ts';
import { withCollections } from './prepare.ts';
import { timed } from './sync.ts';

const repeats = 20;
const smallBytes = 20_000;
/** After a start the server is left alone so long before its memory is read, milliseconds. */
const settleMs = 1_500;

/** How the cost of one thing grows with another: a row for each amount. */
export const CURVES: readonly Scenario[] = [
  {
    name: 'curve-collection-size',
    title: 'status check, empty sync and 200 cards over the size of the collection',
    async run(world) {
      for (const name of world.amounts.curveSizes) {
        const made = await world.collection(SIZES[name]);
        await using server = await world.start({ users: 1, prepare: withCollections(made) });
        const device = await world.device(server, 0, made);
        await device.sync();
        const rows = made.facts.reviews.toLocaleString('en');
        const measure = async (what: string, work: () => Promise<unknown>) =>
          world.note(`Collection with ${rows} reviews`, what, 'ms', await medianOf(work));
        await measure('meta', () => device.client.meta());
        await measure('empty sync', () => device.sync());
        await measure('200 cards and reviews up', () => device.sync({ ...noRows, ...studied(made, 200), decks: [] }));
        device.client.close();
      }
    },
  },
  {
    name: 'curve-pending',
    title: 'objects that wait to be fetched',
    async run(world) {
      for (const count of world.amounts.curvePending) await pending(world, count);
    },
  },
  {
    name: 'curve-media',
    title: 'media files over the number that is stored',
    async run(world) {
      for (const stored of world.amounts.curveMedia) await storedMedia(world, stored);
    },
  },
  {
    name: 'curve-users',
    title: 'start, idle memory and the syncs of one user over the number of users',
    async run(world) {
      for (const users of world.amounts.curveUsers) await manyUsers(world, users);
    },
  },
];

async function medianOf(work: () => Promise<unknown>): Promise<number> {
  const delaysMs: number[] = [];
  for (let left = repeats; left > 0; left--) delaysMs.push(await timed(work));
  return median(delaysMs);
}

async function pending(world: World, count: number): Promise<void> {
  const made = await world.collection(SIZES.medium);
  await using server = await world.start({ users: 1, prepare: withCollections(made) });
  const [phone, computer] = [await world.device(server, 0, made), await world.device(server, 0, made)];
  await computer.sync();
  await phone.sync({ ...noRows, ...studied(made, count), decks: [] });
  const cost = await world.cost(server, () => computer.sync());
  if (cost.result.cards !== count) throw new WrongAnswerError(`${cost.result.cards} cards came of ${count}`);
  world.note(`${(2 * count).toLocaleString('en')} objects down`, 'time', 'ms', cost.wallMs);
  phone.client.close();
  computer.client.close();
}

/** All of them are known, one of them comes. */
async function manyUsers(world: World, users: number): Promise<void> {
  const made = await world.collection(SIZES.tiny);
  await using server = await world.start({ users, prepare: withCollections(made) });
  const work = `${users.toLocaleString('en')} users`;
  world.note(work, 'start', 'ms', server.startMs);
  await sleep(settleMs);
  world.note(work, 'memory when idle', 'MB', server.cost().residentBytes / megabyte);
  const device = await world.device(server, 0, made);
  await device.sync();
  world.note(work, 'meta', 'ms', await medianOf(() => device.client.meta()));
  world.note(work, 'empty sync', 'ms', await medianOf(() => device.sync()));
  device.client.close();
}

async function storedMedia(world: World, stored: number): Promise<void> {
  await using server = await world.start({ users: 1, prepare: withMediaIndex(stored) });
  const device = await mediaDevice(world, server, 0);
  const files = mediaFiles(25 * (repeats + 1), smallBytes, 77);
  const [first, ...bodies] = uploadBodies(files);
  if (first !== undefined) await device.upload([first], 25);
  const delaysMs: number[] = [];
  for (const body of bodies) delaysMs.push(await timed(() => device.upload([body], 25)));
  const names = stored.toLocaleString('en');
  world.note(`${names} media files stored`, '25 more up', 'ms', median(delaysMs));
  const page = () => device.client.call('msync/mediaChanges', `{"lastUsn":${Math.max(0, stored - 1000)}}`);
  world.note(`${names} media files stored`, 'the last changes', 'ms', await medianOf(page));
  device.client.close();
}
