import { createReadStream } from 'node:fs';
import { type CollectionFacts, type MadeCollection, SIZES } from '../data/collections.ts';
import { readDownload } from '../load/downloaded.ts';
import { type SyncClient, WrongAnswerError } from '../load/sync-client.ts';
import type { ServerProcess } from '../servers/server-process.ts';
import { type Cost, megabyte, type Scenario, type World } from '../world.ts';
import { withCollections } from './prepare.ts';

const pieceBytes = 256 * 1024;
const peakMax = 200;
const afterLastByteMsMax = 10_000;

export const upload: Scenario = {
  name: 'upload',
  title: 'full upload of a collection, with two other users meanwhile',
  async run(world) {
    for (const name of world.amounts.fullSyncSizes) {
      const [made, tiny] = [await world.collection(SIZES[name]), await world.collection(SIZES.tiny)];
      await using server = await world.start({ users: 3, prepare: withCollections(tiny, tiny, tiny) });
      const client = await world.client(server, 0);
      await client.meta();
      const title = `during an upload of ${megs(made.bytes)}`;
      const cost = await world.watched({ server, meta: 1, emptySync: 2, title, tiny }, () =>
        world.cost(server, () => send(client, made)),
      );
      noteUpload(world, made, cost);
      client.close();
      await checkStored(world, server, made);
    }
  },
};

function noteUpload(world: World, made: MadeCollection, cost: Cost<number>): void {
  const work = `Full upload, ${megs(made.bytes)}`;
  const isBig = made.size.name === 'large' || made.size.name === 'huge';
  const target = isBig ? { ratioMax: 0.2 } : undefined;
  world.note(work, 'time', 'ms', cost.wallMs, target);
  const wait = made.size.name === 'huge' ? { valueMax: afterLastByteMsMax } : undefined;
  world.note(work, 'last byte to answer', 'ms', cost.result, wait);
  world.note(work, 'processor time', 'ms', cost.cpuMs);
  world.note(work, 'peak memory', 'MB', cost.peakBytes / megabyte, isBig ? { valueMax: peakMax } : undefined);
}

/** Sends a collection as a client does. Returns the time from the last byte to the answer, milliseconds. */
async function send(client: SyncClient, made: MadeCollection): Promise<number> {
  client.newSession();
  const { body, answer, lastByteMs } = await client.stream(
    'sync/upload',
    createReadStream(made.packed, { highWaterMark: pieceBytes }),
  );
  if (body.toString() !== 'OK') throw new WrongAnswerError(`An upload was answered: ${body.toString().slice(0, 200)}`);
  return answer.firstByteMs - lastByteMs;
}

/** What was stored is what was sent: a sync finds the same counts. */
async function checkStored(world: World, server: ServerProcess, made: MadeCollection): Promise<void> {
  const device = await world.device(server, 0, made);
  await device.sync();
  device.client.close();
}

export const download: Scenario = {
  name: 'download',
  title: 'full download of a collection, with two other users meanwhile',
  async run(world) {
    for (const name of world.amounts.fullSyncSizes) {
      const [made, tiny] = [await world.collection(SIZES[name]), await world.collection(SIZES.tiny)];
      await using server = await world.start({ users: 3, prepare: withCollections(made, tiny, tiny) });
      const client = await world.client(server, 0);
      await client.meta();
      const title = `during a download of ${megs(made.bytes)}`;
      const { result, ...cost } = await world.watched({ server, meta: 1, emptySync: 2, title, tiny }, () =>
        world.cost(server, () => client.fetch('sync/download')),
      );
      const work = `Full download, ${megs(made.bytes)}`;
      world.note(work, 'time', 'ms', cost.wallMs, { ratioMax: 1 });
      world.note(work, 'first byte', 'ms', result.firstByteMs, { valueMax: 200 });
      world.note(work, 'processor time', 'ms', cost.cpuMs);
      world.note(work, 'peak memory', 'MB', cost.peakBytes / megabyte, { valueMax: peakMax });
      client.close();
      await checkReceived(result.body, made.facts);
    }
  },
};

/** Everything is in it. */
async function checkReceived(packed: Buffer, facts: CollectionFacts): Promise<void> {
  const { notes, cards, reviews } = await readDownload(packed);
  const [found, wanted] = [[notes, cards, reviews].join(), [facts.notes, facts.cards, facts.reviews].join()];
  if (found !== wanted) throw new WrongAnswerError(`A download holds ${found} rows for ${wanted}`);
}

function megs(bytes: number): string {
  return `${bytes < megabyte ? (bytes / megabyte).toFixed(1) : Math.round(bytes / megabyte)} MB`;
}
