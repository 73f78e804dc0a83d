import { statSync } from 'node:fs';
import { reportedAnswer } from '../protocol/json-answer.ts';
import type { Answer, Message } from '../protocol/message.ts';
import { type MetaFacts, metaAnswer, readMetaRequest, type ToldMeta } from '../protocol/meta.ts';
import type { UserFolder } from '../user-folder.ts';

/** How many answers are remembered per user until their sync begins. Same as `UserCollection` keeps. */
const toldMax = 8;

interface UserMetas {
  /** Counts everything that may have changed what `meta` tells, or is about to. */
  changes: number;
  /** What `meta` told last, and the marks of the files at that time; undefined when it may have changed since. */
  known: { readonly facts: MetaFacts; readonly marks: string } | undefined;
  /** By session key, what was answered. The thread that owns the user may not have heard of it, or closed the collection. */
  readonly told: Map<string, ToldMeta>;
}

/**
 * Answers `meta` without the thread that owns the user, as long as nothing has happened since that thread answered it
 * last: most clients look for changes far more often than there are any. Whoever touches the files of a user calls
 * `forget` before and after; a file that another program changed is noticed by its time and size.
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
    if (user?.known === undefined || user.known.marks !== marksOf(folder)) return undefined;
    const { summary, mediaUsn } = user.known.facts;
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
  mark(folder: UserFolder): number {
    return this.#of(folder).changes;
  }

  /** Keeps what the thread answered, for the next one unless something has happened since the mark. */
  learn(message: Message, mark: number, facts: MetaFacts): void {
    const { folder, sessionKey } = message;
    const user = this.#of(folder);
    if (user.changes === mark) user.known = { facts, marks: marksOf(folder) };
    const { client } = readMetaRequest(message, { inflatedBytesMax: this.#inflatedBytesMax });
    remember(user, sessionKey, { summary: facts.summary, client, nowMs: Date.now() });
  }

  /** Runs work that may change what `meta` tells. */
  async whileChanging<Result>(folder: UserFolder, work: () => Promise<Result>): Promise<Result> {
    this.forget(folder);
    try {
      return await work();
    } finally {
      this.forget(folder);
    }
  }

  /** What `meta` tells may have changed. */
  forget(folder: UserFolder): void {
    const user = this.#of(folder);
    user.changes += 1;
    user.known = undefined;
  }

  #of({ user }: UserFolder): UserMetas {
    const known = this.#users.get(user) ?? { changes: 0, known: undefined, told: new Map() };
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

/** Changes when the files are replaced or written. The log beside them changes only by what this process does. */
function marksOf({ collection, mediaDb }: UserFolder): string {
  return `${markOf(collection)} ${markOf(mediaDb)}`;
}

function markOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? 'none' : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}
