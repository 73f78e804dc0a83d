import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { WrongAnswerError } from './sync-client.ts';

const pieceBytes = 1024 * 1024;

/** What a downloaded collection holds. */
export interface Downloaded {
  readonly usn: number;
  readonly notes: number;
  readonly cards: number;
  readonly reviews: number;
}

/** Opens what came and counts; what SQLite does not find whole is a `WrongAnswerError`. */
export async function readDownload(packed: Buffer): Promise<Downloaded> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-download-'));
  try {
    const file = path.join(folder, 'collection.anki2');
    await pipeline([packed], createZstdDecompress({ chunkSize: pieceBytes }), createWriteStream(file));
    using db = new DatabaseSync(file);
    const value = (sql: string) => Object.values(db.prepare(sql).get() ?? {})[0];
    // Pages and b-trees are checked as far as SQLite can without Anki's collation.
    const health = ['notes', 'cards', 'revlog'].map((table) => value(`PRAGMA quick_check(${table})`));
    if (health.some((each) => each !== 'ok')) throw new WrongAnswerError(`A download is damaged: ${health.join()}`);
    const count = (table: string) => Number(value(`SELECT count() FROM ${table} NOT INDEXED`));
    const usn = Number(value('SELECT usn FROM col'));
    return { usn, notes: count('notes'), cards: count('cards'), reviews: count('revlog') };
  } finally {
    await rm(folder, { recursive: true });
  }
}
