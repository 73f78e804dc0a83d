import { readFileSync } from 'node:fs';
import path from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { RawClient } from '../support/raw-client.ts';
import type { Server } from '../support/server.ts';
import { writeZip } from '../support/write-zip.ts';

/** One behaviour in which this server differs from the official one because it is better for users. */
export interface Purpose {
  /** What this server does. */
  readonly title: string;
  readonly why: string;
  /** Sends messages and returns what matters of the answers. The account is fresh, its collection has cards. */
  readonly observe: (account: Account) => Promise<unknown>;
  readonly official: unknown;
  readonly ours: unknown;
}

const collections = path.join(import.meta.dirname, '../fixtures/collections');
const noteId = 1500000000001;
const cardId = 1500000000002;
const emptyMessage = '{"_pad":null}';

/** An account of one server, with as many devices as a case needs. */
export class Account {
  readonly #server: Server;
  readonly user: string;

  constructor(server: Server, user: string) {
    this.#server = server;
    this.user = user;
  }

  /** A device with a session key of its own. `system` is part of the client version that it sends. */
  device(system = 'linux'): RawDevice {
    return new RawDevice(this.#server.url, this.#server.hostKey(this.user), system);
  }
}

/** A device that sends what it likes and looks at statuses only. */
export class RawDevice extends RawClient {
  readonly #system: string;

  constructor(url: string, hostKey: string, system: string) {
    super(url, hostKey);
    this.#system = system;
  }

  /** Status of the answer. */
  async status(method: string, body: string | Uint8Array = emptyMessage): Promise<number> {
    const pathAndMethod = method.includes('/') ? method : `sync/${method}`;
    const header = { v: 11, k: this.hostKey, c: `26.09.3,test,${this.#system}`, s: this.sessionKey };
    return (await this.post(pathAndMethod, body, { header: JSON.stringify(header) })).status;
  }

  /** From `start` to `finish` with these rows, the counts learned from a first attempt. */
  async wholeSync(chunk: Parameters<RawClient['applyChunk']>[0], graves: Parameters<RawClient['applyGraves']>[0] = {}) {
    let counts: unknown = [[0, 0, 0], 0, 0, 0, 0, 0, 0, 0];
    for (;;) {
      const { usn } = await this.meta();
      await this.start(usn);
      await this.applyGraves(graves);
      await this.applyChanges();
      await this.applyChunk(chunk);
      const { status, s } = await this.sanityCheck(counts);
      if (status === 'ok') return this.finish();
      await this.abort();
      counts = s;
    }
  }
}

function card(
  values: { readonly mtime?: number; readonly due?: number; readonly data?: string } = {},
): readonly unknown[] {
  const { mtime = 1600000000, due = 1, data = '{}' } = values;
  return [cardId, noteId, 1, 0, mtime, 0, 0, 0, due, 0, 0, 0, 0, 0, 0, 0, 0, data];
}

/** The card as another device would get it. */
async function storedCard(device: RawDevice): Promise<readonly unknown[] | undefined> {
  await device.start(0);
  const { cards } = await device.chunk();
  await device.abort();
  return cards?.find(([id]) => id === cardId);
}

export const PURPOSES: readonly Purpose[] = [
  {
    title: 'looking for changes does not end the running sync of another device',
    why: 'idle desktops look every few minutes, and would break the sync of a phone',
    async observe(account) {
      const [phone, desktop] = [account.device('ios'), account.device()];
      await phone.start();
      await desktop.meta();
      return phone.status('chunk');
    },
    official: 409,
    ours: 200,
  },
  {
    title: "a late abort does not end another device's sync that is active",
    why: 'two devices at once: the one that lost sends an abort, with whatever key',
    async observe(account) {
      const [phone, desktop] = [account.device('ios'), account.device()];
      await phone.status('start', '{"minUsn":0,"lnewer":false}');
      await desktop.status('abort');
      return phone.status('chunk');
    },
    official: 409,
    ours: 200,
  },
  {
    title: 'a sync that begins on stale ground is refused',
    why: 'objects stamped with an old usn would never reach the other devices',
    async observe(account) {
      const [phone, desktop] = [account.device('ios'), account.device()];
      await phone.meta();
      await desktop.wholeSync({ done: true, cards: [card()] });
      return phone.status('start', '{"minUsn":0,"lnewer":false}');
    },
    official: 200,
    ours: 409,
  },
  {
    title: 'a device that has seen more than the server holds gets a full sync next',
    why: 'an older copy of the collection was restored, and merging cannot tell what is missing',
    async observe(account) {
      const device = account.device();
      const before = await device.meta();
      await device.start(before.usn + 5);
      const { s } = await device.sanityCheck([[0, 0, 0], 0, 0, 0, 0, 0, 0, 0]);
      await device.abort();
      device.sessionKey = 'second';
      await device.start(before.usn + 5);
      await device.sanityCheck(s);
      await device.finish();
      return (await device.meta()).scm === before.scm ? 'normal sync next' : 'full sync next';
    },
    official: 'normal sync next',
    ours: 'full sync next',
  },
  {
    title: 'a repeated deletion reaches every device',
    why: 'an object may have come back in between',
    async observe(account) {
      const device = account.device();
      await device.wholeSync({ done: true }, { cards: [cardId] });
      const { usn } = await device.meta();
      await device.wholeSync({ done: true }, { cards: [cardId] });
      const { cards } = (await device.start(usn)) as { cards: readonly number[] };
      return cards.includes(cardId);
    },
    official: false,
    ours: true,
  },
  {
    title: 'after a failed sanity check nothing of the sync is left',
    why: 'the official server keeps an empty session that counts up and writes outside of a transaction',
    async observe(account) {
      const device = account.device();
      const before = await device.meta();
      await device.start();
      await device.sanityCheck([[0, 0, 0], 0, 0, 0, 0, 0, 0, 0]);
      const finish = await device.status('finish');
      return { finish, usnRaisedBy: (await device.meta()).usn - before.usn };
    },
    official: { finish: 400, usnRaisedBy: 1 },
    ours: { finish: 409, usnRaisedBy: 0 },
  },
  {
    title: 'a client that finds a fault in itself is answered that the check failed',
    why: 'clients up to 2.1.26 send a text; told so they offer a full sync, else only an error again and again',
    async observe(account) {
      const device = account.device();
      await device.start();
      const reply = await device.post('sync/sanityCheck2', '{"client":"missing notes"}');
      return { status: reply.status, check: reply.status === 200 && JSON.parse(reply.body.toString()).status };
    },
    official: { status: 400, check: false },
    ours: { status: 200, check: 'bad' },
  },
  {
    title: 'unknown keys are ignored in every message',
    why: 'a later release may add one',
    async observe(account) {
      const device = account.device();
      await device.start();
      return device.status('chunk', '{"added later":1}');
    },
    official: 400,
    ours: 200,
  },
  {
    title: 'an upload without a body is refused',
    why: 'a broken proxy must not empty the account',
    async observe(account) {
      const device = account.device();
      const reply = await device.post('sync/upload', '', { compressed: true });
      return { taken: reply.status === 200 && reply.body.toString() === 'OK', empty: (await device.meta()).empty };
    },
    official: { taken: true, empty: true },
    ours: { taken: false, empty: false },
  },
  {
    title: 'a file that is no collection is refused',
    why: 'a database without the table "col" is not one, whatever else it holds',
    async observe(account) {
      const device = account.device();
      const file = readFileSync(path.join(collections, 'uploads/no-col-table.anki2.zst'));
      const reply = await device.post('sync/upload', file, { compressed: true });
      return { taken: reply.body.toString() === 'OK', empty: (await device.meta()).empty };
    },
    official: { taken: true, empty: true },
    ours: { taken: false, empty: false },
  },
  {
    title: 'an uploaded collection can be synced even if the client forgot to mark its objects as sent',
    why: 'with one such object every later sanity check fails',
    async observe(account) {
      const device = account.device();
      await device.upload(zstdDecompressSync(readFileSync(path.join(collections, 'uploads/usn-minus-1.anki2.zst'))));
      await device.start();
      const { s } = await device.sanityCheck([[0, 0, 0], 0, 0, 0, 0, 0, 0, 0]);
      return s === null ? 'never in order' : 'counts';
    },
    official: 'never in order',
    ours: 'counts',
  },
  {
    title: 'media names that are no names are told as the fault of the request',
    why: 'they never reach the file system',
    async observe(account) {
      const zip = (name: string) =>
        writeZip([
          ['0', Buffer.from('x')],
          ['_meta', Buffer.from(JSON.stringify([[name, '0']]))],
        ]);
      const device = account.device();
      return Promise.all(['..', '.', '', 'a\0b'].map((name) => device.status('msync/uploadChanges', zip(name))));
    },
    official: [500, 500, 500, 500],
    ours: [400, 400, 400, 400],
  },
  {
    title: 'the extra data of a card stay as they came',
    why: 'an add-on or a later release may have a use for them',
    async observe(account) {
      const device = account.device();
      await device.wholeSync({ done: true, cards: [card({ data: '{"v":"later","s":1.23456,"d":5}' })] });
      return (await storedCard(device))?.[17];
    },
    official: '{"s":1.2346,"d":5.0}',
    ours: '{"v":"later","s":1.23456,"d":5}',
  },
  {
    title: 'a number that is too large for its column becomes the largest one',
    why: 'only numbers with fractions are concerned, which no client sends that large',
    async observe(account) {
      const device = account.device();
      await device.wholeSync({ done: true, cards: [card({ due: 2 ** 31 + 4 })] });
      return (await storedCard(device))?.[8];
    },
    official: -(2 ** 31) + 4,
    ours: 2 ** 31 - 1,
  },
  {
    title: 'addresses with a missing or doubled slash work',
    why: 'people type them',
    async observe(account) {
      const device = account.device();
      return Promise.all(
        ['/sync/meta', '//sync/meta', '/sync/sync/meta', '/sync//meta'].map((place) =>
          device.status(new URL(device.url).origin + place, '{"v":11,"cv":"test"}'),
        ),
      );
    },
    official: [200, 404, 404, 404],
    ours: [200, 200, 200, 200],
  },
  {
    title: 'two syncs in the same millisecond leave different times',
    why: 'equal times mean "no changes" to a client',
    async observe(account) {
      const device = account.device();
      const times = [await device.wholeSync({ done: true }), await device.wholeSync({ done: true })];
      return new Set(times).size;
    },
    official: 1,
    ours: 2,
  },
];

/** The fixture that every case begins with. */
export const startCollection = path.join(collections, 'rich.anki2');
