import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../test/support/random.ts';
import { type MadeCollection, SIZES } from '../data/collections.ts';
import { mediaFiles, uploadBodies } from '../data/media-files.ts';
import { MediaDevice } from '../load/media-device.ts';
import { slope } from '../load/statistics.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import { megabyte, type Scenario, type World } from '../world.ts';
import { withSame } from './prepare.ts';
import { edit, sendStudied } from './sync.ts';

const users = 50;
const pauseMsMax = 4_000;
const samples = 120;
const hourMs = 3_600_000;

/** A user's share of the load: what happens next is drawn by lot, mostly small things. */
async function live(world: World, server: ServerProcess, user: number, made: MadeCollection, endsMs: number) {
  const random = new Random(user);
  const [phone, computer] = [await world.device(server, user, made), await world.device(server, user, made)];
  const media = new MediaDevice(phone.client);
  let [actions, sent] = [0, 0];
  while (performance.now() < endsMs) {
    const lot = random.next();
    await computer.client.reconnect();
    if (lot < 0.5) await phone.client.meta();
    else if (lot < 0.7) await phone.sync();
    else if (lot < 0.88) {
      await phone.sync();
      await edit(computer, made);
      await sendStudied(phone, made);
    } else if (lot < 0.98) {
      const files = mediaFiles(5, 20_000, 1_000_000 * (user + 1) + sent);
      await media.upload(uploadBodies(files), files.length);
      await media.download(files);
      sent += 1;
    } else await computer.download();
    actions += 1;
    await sleep(random.next() * pauseMsMax);
  }
  phone.client.close();
  computer.client.close();
  return actions;
}

export const soak: Scenario = {
  name: 'soak',
  title: '50 users at work for an hour: no error, no growth of memory or file handles',
  async run(world) {
    const { soakMs } = world.amounts;
    const tiny = await world.collection(SIZES.tiny);
    await using server = await world.start({ users, prepare: withSame(tiny) });
    const startedMs = performance.now();
    const endsMs = startedMs + soakMs;
    const memory: (readonly [x: number, y: number])[] = [];
    const handles: (readonly [x: number, y: number])[] = [];
    const sampler = setInterval(() => {
      const { residentBytes, openFiles } = server.cost();
      const hours = (performance.now() - startedMs) / hourMs;
      memory.push([hours, residentBytes / megabyte]);
      handles.push([hours, openFiles]);
    }, soakMs / samples);
    const actions = await Promise.all(
      Array.from({ length: users }, (_, user) => live(world, server, user, tiny, endsMs)),
    ).finally(() => clearInterval(sampler));
    // The first half is the warming up: code gets compiled, files get opened.
    const later = (points: typeof memory) => points.slice(Math.floor(points.length / 2));
    const work = `${users} users for ${Math.round(soakMs / 60_000)} minutes`;
    world.note(
      work,
      'actions',
      'requests',
      actions.reduce((sum, each) => sum + each, 0),
    );
    world.note(work, 'memory at the end', 'MB', memory.at(-1)?.[1] ?? 0);
    world.note(work, 'growth of memory per hour, second half', 'MB', slope(later(memory)));
    world.note(work, 'growth of file handles per hour, second half', 'requests', slope(later(handles)));
  },
};
