import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { openStillDatabase } from '../storage/still-database.ts';
import { COMPANIONS } from './companions.ts';
import { Refusal, refusalOf } from './upload-refusal.ts';

/** What tells one state of a collection from another at a glance. */
export interface CollectionFacts {
  readonly notes: number;
  readonly cards: number;
  readonly reviews: number;
  /** Time of the latest review, epoch milliseconds; null when there is none. */
  readonly lastReviewMs: number | null;
  /** `col.mod`, epoch milliseconds. */
  readonly modifiedMs: number;
}

const FACTS = `
  SELECT (SELECT count() FROM notes), (SELECT count() FROM cards), (SELECT count() FROM revlog),
    (SELECT max(id) FROM revlog), mod
  FROM col
`;

/** Does a file hold commits, or changes to undo, beside it? */
export function hasCompanion(file: string): boolean {
  return COMPANIONS.some((suffix) => existsSync(file + suffix));
}

/**
 * Moves what a killed server left beside a collection into it, so that the file is whole by itself. Nobody else has it
 * open. Throws what SQLite says, see `damageOf`.
 */
export function takeInWal(file: string): void {
  const db = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
}

/** Reads the facts of a collection of any schema and form that nobody changes meanwhile. The file stays as it is. */
export function readFacts(file: string): CollectionFacts {
  const db = openStillDatabase(file);
  try {
    const statement = db.prepare(FACTS);
    statement.setReturnArrays(true);
    statement.setReadBigInts(true);
    const row = statement.get() as unknown as (bigint | null)[] | undefined;
    if (row === undefined) throw new Refusal('no row in table col');
    const [notes, cards, reviews, lastReview, modified] = row;
    return {
      notes: Number(notes ?? 0),
      cards: Number(cards ?? 0),
      reviews: Number(reviews ?? 0),
      lastReviewMs: lastReview === null || lastReview === undefined ? null : Number(lastReview),
      modifiedMs: Number(modified ?? 0),
    };
  } finally {
    db.close();
  }
}

/** What is wrong with the file, if an error tells of a damaged file and not of a fault of this machine. */
export function damageOf(error: unknown): string | undefined {
  return refusalOf(error);
}
