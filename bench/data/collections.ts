import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress } from 'node:zlib';
import { Random } from '../../test/support/random.ts';

/** How large a collection is. Every note has two cards. */
export interface CollectionSize {
  readonly name: string;
  readonly notes: number;
  readonly reviewsPerCard: number;
}

export const cardsPerNote = 2;

export const SIZES = {
  tiny: { name: 'tiny', notes: 100, reviewsPerCard: 5 },
  medium: { name: 'medium', notes: 10_000, reviewsPerCard: 5 },
  large: { name: 'large', notes: 50_000, reviewsPerCard: 10 },
  huge: { name: 'huge', notes: 200_000, reviewsPerCard: 10 },
} as const satisfies Record<string, CollectionSize>;

/** What a device must know of a collection in order to sync. */
export interface CollectionFacts {
  readonly usn: number;
  readonly notes: number;
  readonly cards: number;
  readonly reviews: number;
  readonly notetypes: number;
  readonly decks: number;
  readonly deckConfigs: number;
  /** The notetype of all notes. */
  readonly notetypeId: number;
}

/** A collection on the disk. */
export interface MadeCollection {
  readonly size: CollectionSize;
  /** Schema 18, as an account's file. */
  readonly file: string;
  /** The same as one zstd frame, as a client sends it. */
  readonly packed: string;
  readonly bytes: number;
  readonly packedBytes: number;
  readonly facts: CollectionFacts;
}

/** A real collection without cards: everything that differs from it is written here. */
const emptyCollection = path.join(import.meta.dirname, '../../test/fixtures/collections/fresh-empty.anki2');

/** Changes when other contents are made, so that what lies in the cache is made anew. */
const contentVersion = 3;
export const firstNoteId = 1_500_000_000_000;
export const deckId = 1;
const startUsn = 100;
const wordsKnown = 20_000;
const wordsPerBack = 62;
const daySecs = 86_400;
const firstReviewId = 1_510_000_000_000;
/** A prime that no number of cards is a multiple of: steps of it visit every card. */
const cardStride = 7_368_787;

export function cardId(note: number, ord: number): number {
  return firstNoteId + note * cardsPerNote + ord;
}

/** The collection of that size, from `folder` or made now. */
export async function collectionOf(size: CollectionSize, folder: string): Promise<MadeCollection> {
  const base = path.join(folder, `${size.name}-${size.notes}-${size.reviewsPerCard}-v${contentVersion}`);
  const [file, packed, facts] = [`${base}.anki2`, `${base}.zst`, `${base}.json`];
  if (!existsSync(facts)) {
    await mkdir(folder, { recursive: true });
    const temp = `${base}.${process.pid}.tmp`;
    try {
      await copyFile(emptyCollection, temp);
      const made = fill(temp, size);
      await pipeline(createReadStream(temp), createZstdCompress(), createWriteStream(packed));
      await rename(temp, file);
      await writeFile(facts, JSON.stringify(made)); // Last: it says that the other two are whole.
    } finally {
      for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(temp + suffix, { force: true });
    }
  }
  return {
    size,
    file,
    packed,
    bytes: (await stat(file)).size,
    packedBytes: (await stat(packed)).size,
    facts: JSON.parse(await readFile(facts, 'utf8')) as CollectionFacts,
  };
}

function fill(file: string, size: CollectionSize): CollectionFacts {
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN');
    const number = (sql: string) => Number(Object.values(db.prepare(sql).get() ?? {})[0]);
    const notetypeId = number('SELECT id FROM notetypes NOT INDEXED ORDER BY id LIMIT 1 OFFSET 1');
    insertRows(db, size, notetypeId);
    db.exec(`
      UPDATE col SET mod = ${firstNoteId}, scm = ${firstNoteId}, ls = ${firstNoteId}, usn = ${startUsn};
      UPDATE notetypes NOT INDEXED SET usn = 0; UPDATE decks NOT INDEXED SET usn = 0; COMMIT;
    `);
    return {
      usn: startUsn,
      notes: size.notes,
      cards: size.notes * cardsPerNote,
      reviews: size.notes * cardsPerNote * size.reviewsPerCard,
      notetypes: number('SELECT count() FROM notetypes NOT INDEXED'),
      decks: number('SELECT count() FROM decks NOT INDEXED'),
      deckConfigs: number('SELECT count() FROM deck_config NOT INDEXED'),
      notetypeId,
    };
  } finally {
    db.close();
  }
}

function insertRows(db: DatabaseSync, size: CollectionSize, notetypeId: number): void {
  const random = new Random(1);
  const words = Array.from({ length: wordsKnown }, () => invented(random));
  const text = (count: number) =>
    Array.from({ length: count }, () => words[random.integer(0, wordsKnown - 1)]).join(' ');
  const note = db.prepare("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ' bench ', ?, ?, ?, 0, '')");
  const card = db.prepare('INSERT INTO cards VALUES (?, ?, ?, ?, ?, ?, 2, 2, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?)');
  const data = '{"s":23.7,"d":5.9,"dr":0.9,"decay":0.5}';
  for (let at = 0; at < size.notes; at++) {
    const noteId = firstNoteId + at;
    const front = text(3);
    const usn = random.integer(0, startUsn - 1);
    const guid = `${at.toString(36)}.${random.integer(0, 2 ** 31).toString(36)}`;
    note.run(
      noteId,
      guid,
      notetypeId,
      1_500_000_000 + at,
      usn,
      `${front}\u001f${text(wordsPerBack)}`,
      front,
      random.integer(0, 0xffff_ffff),
    );
    for (let ord = 0; ord < cardsPerNote; ord++) {
      const id = cardId(at, ord);
      const interval = 1 + random.integer(0, 400);
      const ease = 1300 + random.integer(0, 240) * 5;
      const mod = 1_500_000_000 + random.integer(0, daySecs);
      card.run(
        id,
        noteId,
        deckId,
        ord,
        mod,
        usn,
        random.integer(0, 4000),
        interval,
        ease,
        size.reviewsPerCard,
        ord,
        data,
      );
    }
  }
  insertReviews(db, size, random);
}

/** In the order of time, in which cards come up all over the collection: so their index is filled at random, as in reality. */
function insertReviews(db: DatabaseSync, size: CollectionSize, random: Random): void {
  const review = db.prepare('INSERT INTO revlog VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)');
  const cards = size.notes * cardsPerNote;
  for (let at = 0; at < cards * size.reviewsPerCard; at++) {
    const card = firstNoteId + ((at * cardStride) % cards);
    const interval = 1 + random.integer(0, 400);
    const ease = 1300 + random.integer(0, 240) * 5;
    const [id, usn, time] = [
      firstReviewId + at * 20_011,
      random.integer(0, startUsn - 1),
      800 + random.integer(0, 20_000),
    ];
    review.run(id, card, usn, 1 + random.integer(0, 3), interval, Math.ceil(interval / 2), ease, time);
  }
}

/** Two to ten letters, short ones more often. */
function invented(random: Random): string {
  const letters = 'eeeetttaaooiinnsshrrdlucmwfgypbvkjxqzäöé';
  const length = 2 + Math.min(random.integer(0, 8), random.integer(0, 8));
  return Array.from({ length }, () => letters[random.integer(0, letters.length - 1)]).join('');
}
