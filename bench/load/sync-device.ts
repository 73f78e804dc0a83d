import type { CollectionFacts } from '../data/collections.ts';
import { readDownload } from './downloaded.ts';
import { type SyncClient, WrongAnswerError } from './sync-client.ts';

/** Objects in one message, as clients send them. */
const chunkObjectsMax = 250;

/** Rows as they cross the wire. */
export interface Rows {
  readonly revlog: readonly (readonly unknown[])[];
  readonly cards: readonly (readonly unknown[])[];
  readonly notes: readonly (readonly unknown[])[];
}

export const noRows: Rows = { revlog: [], cards: [], notes: [] };

/** What a device has to send; reviews are new, everything else is there already. */
export interface Changes extends Rows {
  /** In the form of schema 11, existing ones. */
  readonly decks: readonly Readonly<Record<string, unknown>>[];
}

/** How many rows of each kind came. */
export interface Received {
  readonly revlog: number;
  readonly cards: number;
  readonly notes: number;
  /** Requests that it took. */
  readonly chunks: number;
}

interface WireChunk {
  readonly done: boolean;
  readonly revlog?: readonly (readonly unknown[])[];
  readonly cards?: readonly (readonly unknown[])[];
  readonly notes?: readonly (readonly unknown[])[];
}

/**
 * A device that holds no collection but knows what decides over its syncs: its usn and how many objects there are. Both
 * sides compare these numbers in every sync, so a server that loses something is noticed.
 */
export class SyncDevice {
  readonly client: SyncClient;
  usn: number;
  readonly #facts: CollectionFacts;
  #reviews: number;

  constructor(client: SyncClient, facts: CollectionFacts) {
    this.client = client;
    this.#facts = facts;
    this.usn = facts.usn;
    this.#reviews = facts.reviews;
  }

  /** A sync from `meta` to `finish`, in the order and number of messages of the current client. */
  async sync(changes: Changes = { ...noRows, decks: [] }): Promise<Received> {
    const { client } = this;
    client.newSession();
    const meta = await client.meta();
    if (meta.usn < this.usn) throw new WrongAnswerError(`The server's usn ${meta.usn} is behind ${this.usn}`);
    await client.call('sync/start', `{"minUsn":${this.usn},"lnewer":true,"graves":null,"localOffset":0}`);
    await client.call('sync/applyChanges', changesText(changes, meta.usn));
    const received = await this.#receive();
    for (const chunk of chunksOf(changes, meta.usn)) await client.call('sync/applyChunk', chunk);
    await this.#compare(received.revlog + changes.revlog.length);
    if (typeof (await client.call('sync/finish')) !== 'number') throw new WrongAnswerError('finish gave no time');
    this.#reviews += received.revlog + changes.revlog.length;
    this.usn = meta.usn + 1;
    return received;
  }

  /** Takes the collection of the server in place of its own. */
  async download(): Promise<void> {
    const { usn, notes, cards, reviews } = await readDownload((await this.client.fetch('sync/download')).body);
    if (notes !== this.#facts.notes || cards !== this.#facts.cards) {
      throw new WrongAnswerError(`A download holds ${notes} notes and ${cards} cards`);
    }
    this.usn = usn;
    this.#reviews = reviews;
  }

  async #receive(): Promise<Received> {
    const received = { revlog: 0, cards: 0, notes: 0, chunks: 0 };
    for (let done = false; !done; received.chunks += 1) {
      const chunk = (await this.client.call('sync/chunk')) as WireChunk;
      for (const kind of ['revlog', 'cards', 'notes'] as const) received[kind] += chunk[kind]?.length ?? 0;
      done = chunk.done;
    }
    return received;
  }

  async #compare(moreReviews: number): Promise<void> {
    const { cards, notes, notetypes, decks, deckConfigs } = this.#facts;
    const counts = [[0, 0, 0], cards, notes, this.#reviews + moreReviews, 0, notetypes, decks, deckConfigs];
    const answer = await this.client.call('sync/sanityCheck2', `{"client":${JSON.stringify(counts)},"full":false}`);
    if ((answer as { status?: string }).status !== 'ok') {
      throw new WrongAnswerError(`The counts differ: ${JSON.stringify(answer)}`);
    }
  }
}

function changesText({ decks }: Changes, usn: number): string {
  const stamped = decks.map((deck) => ({ ...deck, usn }));
  return JSON.stringify({ changes: { models: [], decks: [stamped, []], tags: [] } });
}

/** One review, one card, one note in turn, as the current client fills its messages; the last one says so. */
function* chunksOf(rows: Rows, usn: number): Generator<string> {
  const at = { revlog: 0, cards: 0, notes: 0 };
  for (let done = false; !done; ) {
    const chunk = { revlog: [] as unknown[], cards: [] as unknown[], notes: [] as unknown[] };
    let budget = chunkObjectsMax;
    for (let taken = 1; budget > 0 && taken > 0; budget -= taken) {
      taken = 0;
      for (const [kind, usnAt] of usnPositions) {
        const row = rows[kind][at[kind]];
        if (row === undefined) continue;
        at[kind] += 1;
        taken += 1;
        chunk[kind].push(row.with(usnAt, usn));
      }
    }
    done = budget > 0;
    yield JSON.stringify({ chunk: { done, ...chunk } });
  }
}

/** Where the usn stands in a row of each kind. */
const usnPositions = [
  ['revlog', 2],
  ['cards', 5],
  ['notes', 4],
] as const;
