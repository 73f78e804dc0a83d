import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Random } from '../support/random.ts';

const emptyCollection = path.join(import.meta.dirname, '../fixtures/collections/fresh-empty.anki2');

/** Per note two cards, per card two reviews. */
const cardsPerNote = 2;
const reviewsPerCard = 2;
const wordsKnown = 30_000;
const wordsPerNote = 230;
const firstId = 1_600_000_000_000;

/**
 * Writes a collection of schema 18 of at least this many bytes: a real empty one, filled with notes of invented words that
 * compress about as well as prose, with cards and reviews. Only tables without Anki's own collation are touched.
 */
export function makeLargeCollection(file: string, byteLengthMin: number): void {
  copyFileSync(emptyCollection, file);
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -100000; BEGIN');
    const random = new Random(1);
    const words = Array.from({ length: wordsKnown }, () => invented(random));
    const insert = inserters(db);
    const { notetypeId } = db.prepare('SELECT id AS notetypeId FROM notetypes ORDER BY id LIMIT 1').get() ?? {};
    for (let number = 0; ; number++) {
      if (number % 1000 === 0 && pageBytes(db) >= byteLengthMin) break;
      const noteId = firstId + number;
      const text = Array.from({ length: wordsPerNote }, () => random.pick(words)).join(' ');
      insert.note(noteId, `g${number}`, Number(notetypeId), `${text}\u001f${number}`, text);
      for (let ord = 0; ord < cardsPerNote; ord++) {
        const cardId = firstId + number * cardsPerNote + ord;
        insert.card(cardId, noteId, ord, number);
        for (let time = 0; time < reviewsPerCard; time++) insert.review(cardId * reviewsPerCard + time, cardId);
      }
    }
    db.exec(`UPDATE col SET mod = ${firstId}, scm = ${firstId}; COMMIT; PRAGMA journal_mode = DELETE`);
  } finally {
    db.close();
  }
}

function inserters(db: DatabaseSync) {
  const note = db.prepare("INSERT INTO notes VALUES (?, ?, ?, 1600000000, 0, ' big ', ?, ?, 1, 0, '')");
  const card = db.prepare(
    "INSERT INTO cards VALUES (?, ?, 1, ?, 1600000000, 0, 2, 2, ?, 30, 2500, 2, 0, 0, 0, 0, 0, '{}')",
  );
  const review = db.prepare('INSERT INTO revlog VALUES (?, ?, 0, 3, 30, 10, 2500, 5000, 1)');
  return {
    note: (id: number, guid: string, notetype: number, fields: string, sortField: string) =>
      note.run(id, guid, notetype, fields, sortField),
    card: (id: number, noteId: number, ord: number, due: number) => card.run(id, noteId, ord, due),
    review: (id: number, cardId: number) => review.run(id, cardId),
  };
}

/** Two to ten letters, short ones more often. */
function invented(random: Random): string {
  const length = 2 + Math.min(random.integer(0, 8), random.integer(0, 8));
  return Array.from({ length }, () => random.pick([...'eeeetttaaooiinnsshrrdlucmwfgypbvkjxqzäöé'])).join('');
}

function pageBytes(db: DatabaseSync): number {
  const { bytes } =
    db.prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size').get() ?? {};
  return Number(bytes);
}
