import type { Statements } from '../storage/exact-rows.ts';
import type { CollectionFile } from './collection-file.ts';
import type { RowCounts } from './kept-counts.ts';
import { readSmalls, type SmallObjects } from './kept-smalls.ts';
import { NameIndex } from './name-index.ts';
import { emptyTally, type SyncTally } from './sync-ended.ts';
import type { SyncSession } from './sync-session.ts';

/** What fields a notetype's notes have; undefined for a notetype that does not exist. */
export interface NotetypeShape {
  readonly fieldCount: number;
  readonly sortField: number;
}

/** Everything that the messages of one sync share between `start` and `finish`: the open transaction and what is known of it. */
export class SyncWork {
  readonly session: SyncSession;
  /** Statements on tables that bear no names: reviews, cards, notes, deletions, config and `col`. */
  readonly plainSql: Statements;
  readonly counts: RowCounts;
  /** What has been moved so far, for the log. */
  readonly tally: SyncTally = emptyTally();
  /** Time of the running message, seconds: `mtime` of objects that the server itself changes. */
  nowSecs: number;
  readonly notetypeShapes = new Map<string, NotetypeShape | undefined>();
  readonly #file: CollectionFile;
  #smalls: SmallObjects | undefined;
  #names: { decks?: NameIndex; notetypes?: NameIndex; tags?: NameIndex } = {};

  constructor(file: CollectionFile, session: SyncSession, counts: RowCounts, nowSecs: number) {
    this.#file = file;
    this.session = session;
    this.plainSql = file.sql;
    this.counts = counts;
    this.nowSecs = nowSecs;
  }

  /** Statements on all tables. What is known of the small objects may change by them. */
  get sql(): Statements {
    this.#file.readNames();
    this.#smalls = undefined;
    return this.plainSql;
  }

  /** The small objects, as long as nobody may have changed them; asking SQLite for nothing. */
  get knownSmalls(): SmallObjects | undefined {
    return this.#smalls;
  }

  set knownSmalls(smalls: SmallObjects | undefined) {
    this.#smalls = smalls;
  }

  /** The small objects as they are now. */
  get smalls(): SmallObjects {
    if (this.#smalls !== undefined) return this.#smalls;
    const smalls = readSmalls(this.sql);
    this.#smalls = smalls;
    return smalls;
  }

  /** To be called before a name is written, or a row that bears one inserted or deleted. */
  changeNames(): void {
    this.#file.changeNames();
  }

  /** Deck names in native form, read on first use. */
  get deckNames(): NameIndex {
    this.#names.decks ??= NameIndex.of(this.sql.all('SELECT id, name FROM decks NOT INDEXED'));
    return this.#names.decks;
  }

  /** Notetype names, read on first use. */
  get notetypeNames(): NameIndex {
    this.#names.notetypes ??= NameIndex.of(this.sql.all('SELECT id, name FROM notetypes NOT INDEXED'));
    return this.#names.notetypes;
  }

  /** Tags; a tag is its own id. */
  get tagNames(): NameIndex {
    this.#names.tags ??= NameIndex.of(this.sql.all('SELECT tag, tag FROM tags'));
    return this.#names.tags;
  }

  /** Decks were deleted: their names are free again. */
  forgetDeckNames(): void {
    delete this.#names.decks;
  }
}
