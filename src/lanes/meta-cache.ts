import { statSync } from 'node:fs';
import type { CollectionSummary } from '../collection/collection-summary.ts';
import { reportedAnswer } from '../protocol/json-answer.ts';
import type { Answer, Message } from '../protocol/message.ts';
import { type MetaFacts, metaAnswer, readMetaRequest, type ToldMeta } from '../protocol/meta.ts';
import type { UserFolder } from '../user-folder.ts';

/** How many answers are remembered per user until their sync begins. Same as `UserCollection` keeps. */
const toldMax = 8;

/** The files that `meta` tells of. */
type Part = 'collection' | 'media';

/** A fact about a file, as it was last told; forgotten when it may have changed since. */
class KnownFact<Fact> {
  /** Counts everything that may have changed the fact, or is about to. */
  changes = 0;
  #known: { readonly fact: Fact; readonly mark: string } | undefined;

  /** `mark`: of the file now. */
  of(mark: string): Fact | undefined {
    return this.#known?.mark === mark ? this.#known.fact : undefined;
  }

  /** Unless something has happened since there were so many changes. */
  learn(fact: Fact, mark: string, changes: number): void {
    if (this.changes === changes) this.#known = { fact, mark };
  }

  forget(): void {
    this.changes += 1;
    this.#known = undefined;
  }
}

interface UserMetas {
  readonly collection: KnownFact<CollectionSummary>;
  /** The counter of changes of the media. */
  readonly media: KnownFact<number>;
  /** By session key, what was answered. The thread that owns the user may not have heard of it, or closed the collection. */
  readonly told: Map<string, ToldMeta>;
}

/** A moment, by the changes that there were before. */
export type MetaMark = Readonly<Record<Part, number>>;

/**
 * Answers `meta` without the thread that owns the user, as long as nothing has happened since that thread answered it
 * last: most clients look for changes far more often than there are any. Whoever touches the files of a user does so in
 * `whileChanging`; a file that another program changed is noticed by its time and size.
 */
export class MetaCache {
  readonly #users = new Map<string, UserMetas>();
  readonly #inflatedBytesMax: number;

  constructor(inflatedBytesMax: number) {
    this.#inflatedBytesMax = inflatedBytesMax;
  }

  /** The answer, or undefined when the thread has to be asked. Throws the refusals of `meta`. */
  answer(message: Message): Answer | undefined {
    const { folder, sessionKey } = message;
    const user = this.#users.get(folder.user);
    const summary = user?.collection.of(markOf(folder.collection));
    const mediaUsn = user?.media.of(markOf(folder.mediaDb));
    if (user === undefined || summary === undefined || mediaUsn === undefined) return undefined;
    const context = { nowMs: Date.now(), inflatedBytesMax: this.#inflatedBytesMax, mediaUsn };
    const { version, client } = readMetaRequest(message, context);
    remember(user, sessionKey, { summary, client, nowMs: context.nowMs });
    return reportedAnswer('meta', metaAnswer(summary, version, context), message.dress);
  }

  /** What the client of this sync was told, for the thread that begins it. */
  takeTold({ folder, sessionKey }: Message): ToldMeta | undefined {
    const told = this.#users.get(folder.user)?.told;
    const found = told?.get(sessionKey);
    told?.delete(sessionKey);
    return found;
  }

  /** To be called before the thread is asked; `learn` wants it back. */
  mark(folder: UserFolder): MetaMark {
    const { collection, media } = this.#of(folder);
    return { collection: collection.changes, media: media.changes };
  }

  /** Keeps what the thread answered, for the next one unless something has happened since the mark. */
  learn(message: Message, mark: MetaMark, { summary, mediaUsn }: MetaFacts): void {
    const { folder, sessionKey } = message;
    const user = this.#of(folder);
    user.collection.learn(summary, markOf(folder.collection), mark.collection);
    user.media.learn(mediaUsn, markOf(folder.mediaDb), mark.media);
    const { client } = readMetaRequest(message, { inflatedBytesMax: this.#inflatedBytesMax });
    remember(user, sessionKey, { summary, client, nowMs: Date.now() });
  }

  /**
   * Runs work that may change what `meta` tells of the collection or the media. `news` picks what the work has made of
   * the collection, if that is known.
   */
  async whileChanging<Result>(
    folder: UserFolder,
    part: Part,
    work: () => Promise<Result>,
    news: (result: Result) => CollectionSummary | undefined = () => undefined,
  ): Promise<Result> {
    const user = this.#of(folder);
    user[part].forget();
    const { changes } = user[part];
    try {
      const result = await work();
      const summary = news(result);
      const isAlone = user[part].changes === changes;
      user[part].forget();
      if (summary !== undefined && isAlone) {
        user.collection.learn(summary, markOf(folder.collection), user.collection.changes);
      }
      return result;
    } catch (error) {
      user[part].forget();
      throw error;
    }
  }

  #of({ user }: UserFolder): UserMetas {
    const known = this.#users.get(user) ?? { collection: new KnownFact(), media: new KnownFact(), told: new Map() };
    this.#users.set(user, known);
    return known;
  }
}

/** By session key, in the order in which they came. */
function remember({ told }: UserMetas, sessionKey: string, meta: ToldMeta): void {
  if (sessionKey === '') return;
  told.delete(sessionKey);
  told.set(sessionKey, meta);
  const oldest = told.keys().next();
  if (told.size > toldMax && oldest.done !== true) told.delete(oldest.value);
}

/** Changes when the file is replaced or written. The log beside it changes only by what this process does. */
function markOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? 'none' : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}
