import { edited, studied, studiedDeck } from '../data/changes.ts';
import { type MadeCollection, SIZES } from '../data/collections.ts';
import { median, quantile } from '../load/statistics.ts';
import { WrongAnswerError } from '../load/sync-client.ts';
import { noRows, type SyncDevice } from '../load/sync-device.ts';
import type { Scenario } from '../world.ts';
import { withCollections } from './prepare.ts';

const studiedCards = 200;
const editedNotes = 20;
/** Highest share of the official server's time, where the issue is one user. */
const ratioMax = { tiny: undefined, medium: { ratioMax: 1 }, large: { ratioMax: 0.3 }, huge: { ratioMax: 0.3 } };

export const emptySync: Scenario = {
  name: 'empty-sync',
  title: 'syncs of one user in which nothing has changed',
  async run(world) {
    const { syncSizes, emptySyncs } = world.amounts;
    for (const name of syncSizes) {
      const made = await world.collection(SIZES[name]);
      await using server = await world.start({ users: 1, prepare: withCollections(made) });
      const device = await world.device(server, 0, made);
      await device.sync();
      const delaysMs: number[] = [];
      const { cpuMs } = await world.cost(server, async () => {
        for (let left = emptySyncs; left > 0; left--) delaysMs.push(await timed(() => device.sync()));
      });
      const work = `Empty sync, ${name} collection`;
      world.note(work, 'median', 'ms', median(delaysMs), ratioMax[name]);
      world.note(work, 'p99', 'ms', quantile(delaysMs, 0.99));
      world.note(work, 'processor time', 'ms', cpuMs / emptySyncs);
      device.client.close();
    }
  },
};

export const dailySync: Scenario = {
  name: 'daily-sync',
  title: 'syncs of one user after a day of studying',
  async run(world) {
    const { syncSizes, dailySyncs } = world.amounts;
    for (const name of syncSizes) {
      const made = await world.collection(SIZES[name]);
      await using server = await world.start({ users: 1, prepare: withCollections(made) });
      const [phone, computer] = [await world.device(server, 0, made), await world.device(server, 0, made)];
      await study(phone, computer, made);
      const delaysMs: number[] = [];
      let cpuMs = 0;
      for (let left = dailySyncs; left > 0; left--) {
        await edit(computer, made);
        const cost = await world.cost(server, () => sendStudied(phone, made));
        delaysMs.push(cost.wallMs);
        cpuMs += cost.cpuMs;
      }
      const work = `Daily sync, ${name} collection`;
      world.note(work, 'median', 'ms', median(delaysMs), ratioMax[name]);
      world.note(work, 'processor time', 'ms', cpuMs / dailySyncs);
      phone.client.close();
      computer.client.close();
    }
  },
};

async function study(phone: SyncDevice, computer: SyncDevice, made: MadeCollection): Promise<void> {
  await edit(computer, made);
  await sendStudied(phone, made);
}

/** Twenty notes are edited on the computer, which also fetches what the phone has sent. */
export async function edit(computer: SyncDevice, made: MadeCollection): Promise<void> {
  await computer.sync({ ...noRows, decks: [], notes: edited(made, editedNotes) });
}

/** 200 cards and reviews and a deck go up, the 20 notes come down. */
export async function sendStudied(phone: SyncDevice, made: MadeCollection): Promise<void> {
  const changes = { ...noRows, ...studied(made, studiedCards), decks: [studiedDeck()] };
  const received = await phone.sync(changes);
  if (received.notes !== editedNotes) throw new WrongAnswerError(`${received.notes} notes came for ${editedNotes}`);
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
