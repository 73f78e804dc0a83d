import { studied } from '../data/changes.ts';
import { SIZES } from '../data/collections.ts';
import { WrongAnswerError } from '../load/sync-client.ts';
import { noRows } from '../load/sync-device.ts';
import type { Scenario } from '../world.ts';
import { withCollections } from './prepare.ts';

export const bulk: Scenario = {
  name: 'bulk',
  title: '20,000 changed cards and as many reviews in one sync, up and then down',
  async run(world) {
    const { bulkRows } = world.amounts;
    const [made, tiny] = [await world.collection(SIZES.medium), await world.collection(SIZES.tiny)];
    await using server = await world.start({ users: 3, prepare: withCollections(made, tiny, tiny) });
    const [phone, computer] = [await world.device(server, 0, made), await world.device(server, 0, made)];
    await phone.sync();
    await computer.sync();
    const changes = { ...noRows, ...studied(made, bulkRows), decks: [] };
    const title = `during a sync of ${bulkRows} cards and reviews`;
    const up = await world.watched({ server, meta: 1, emptySync: 2, title, tiny }, () =>
      world.cost(server, () => phone.sync(changes)),
    );
    const down = await world.cost(server, () => computer.sync());
    const { cards, revlog, chunks } = down.result;
    if (cards !== bulkRows || revlog !== bulkRows) {
      throw new WrongAnswerError(`${cards} cards and ${revlog} reviews came for ${bulkRows} each`);
    }
    const count = bulkRows.toLocaleString('en');
    world.note(`${count} changed cards and reviews up`, 'time', 'ms', up.wallMs, { ratioMax: 1 });
    world.note(`${count} changed cards and reviews up`, 'processor time', 'ms', up.cpuMs);
    world.note(`${count} changed cards and reviews down`, 'time', 'ms', down.wallMs, { ratioMax: 1 });
    world.note(`${count} changed cards and reviews down`, 'processor time', 'ms', down.cpuMs);
    world.note(`${count} changed cards and reviews down`, 'requests', 'requests', chunks);
    phone.client.close();
    computer.client.close();
  },
};
