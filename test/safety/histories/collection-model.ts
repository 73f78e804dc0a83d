import { DatabaseSync } from 'node:sqlite';
import type { UploadFile } from '../script.ts';
import type { Counts } from '../stored-state.ts';
import { sanityList } from '../sync-device.ts';

/** A sync that has begun and is not finished. */
interface Session {
  readonly key: string;
  /** Clients of the same release on the same system may end each other's syncs. */
  readonly device: number;
  readonly notes: ReadonlyMap<number, number>;
}

/** All that one user's collection and its sync can be, as far as answers tell. Never changed, only replaced. */
export interface CollectionState {
  /** Equal when nothing was committed in between. */
  readonly stamp: string;
  readonly scm: number;
  readonly usn: number;
  readonly counts: Counts;
  /** Time of the last change by id, seconds. */
  readonly notes: ReadonlyMap<number, number>;
  readonly session: Session | undefined;
  /** What clients were told by `meta`, by session key. */
  readonly told: ReadonlyMap<string, string>;
}

export type CollectionRequest = { readonly id: number; readonly device: number; readonly key: string } & (
  | { readonly kind: 'meta' }
  | { readonly kind: 'start' }
  | { readonly kind: 'chunk' }
  | { readonly kind: 'finish' }
  | { readonly kind: 'abort' }
  | { readonly kind: 'download' }
  | { readonly kind: 'applyChunk'; readonly notes: readonly (readonly [id: number, mtimeSecs: number])[] }
  | { readonly kind: 'sanityCheck2'; readonly counts: Counts }
  | { readonly kind: 'upload'; readonly file: UploadFile }
);

/** What came back; undefined when the client did not wait for it. */
export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

/** A collection right after a full upload. */
export function uploaded({ state }: UploadFile): Omit<CollectionState, 'told' | 'session'> {
  const notes = new Map<number, number>();
  for (const row of state.tables['notes'] ?? []) {
    const [id = '', , , mtime = ''] = row.split(' ');
    notes.set(Number(id), Number(mtime));
  }
  return { stamp: `upload ${state.scm}`, scm: state.scm, usn: state.usn, counts: state.counts, notes };
}

/** The states in which the collection may be after this request, if it was in that one before and gave this answer. */
export function collectionStep(
  state: CollectionState,
  request: CollectionRequest,
  reply: Reply | undefined,
): CollectionState[] {
  const next = outcomes(state, request);
  return next.filter(({ answer }) => reply === undefined || answer(reply)).map((outcome) => outcome.state);
}

interface Outcome {
  readonly state: CollectionState;
  answer(reply: Reply): boolean;
}

const isDone = ({ status }: Reply) => status === 200;
const isConflict = ({ status }: Reply) => status === 409;

function outcomes(state: CollectionState, request: CollectionRequest): Outcome[] {
  const { session } = state;
  const idle = { ...state, session: undefined };
  switch (request.kind) {
    case 'meta':
      return [{ state: remember(state, request.key), answer: (reply) => isDone(reply) && isMetaOf(state, reply) }];
    case 'start': {
      const begun = { ...idle, session: { key: request.key, device: request.device, notes: state.notes } };
      const told = state.told.get(request.key);
      const started = { state: begun, answer: isDone };
      // An answer to `meta` is not remembered for ever.
      if (told !== undefined && told !== state.stamp) return [started, { state: idle, answer: isConflict }];
      return [started];
    }
    case 'abort': {
      const ended = { state: idle, answer: isDone };
      // A stranger's abort counts once the sync was silent for a while: here nobody knows how fast the machine is.
      if (session === undefined || session.device === request.device || session.key === request.key) return [ended];
      return [ended, { state, answer: isDone }];
    }
    case 'upload':
      return [
        {
          state: { ...idle, ...uploaded(request.file) },
          answer: (reply) => isDone(reply) && reply.body.toString() === 'OK',
        },
        // The file stood still too long for another download.
        { state, answer: isConflict },
      ];
    case 'download': {
      const after = { ...idle, usn: state.usn + 1, stamp: `download ${request.id}` };
      return [{ state: after, answer: (reply) => isDone(reply) && isFileOf(after, reply) }];
    }
    default:
      if (session === undefined || session.key !== request.key) return [{ state, answer: isConflict }];
      return withinSync(state, session, request);
  }
}

type RequestWithinSync = Extract<CollectionRequest, { kind: 'chunk' | 'finish' | 'applyChunk' | 'sanityCheck2' }>;

function withinSync(state: CollectionState, session: Session, request: RequestWithinSync): Outcome[] {
  switch (request.kind) {
    case 'chunk':
      return [{ state, answer: isDone }];
    case 'applyChunk': {
      const notes = new Map(session.notes);
      for (const [id, mtime] of request.notes) if ((notes.get(id) ?? -1) < mtime) notes.set(id, mtime);
      return [{ state: { ...state, session: { ...session, notes } }, answer: isDone }];
    }
    case 'sanityCheck2': {
      const right = { ...state.counts, notes: session.notes.size };
      const isRight = JSON.stringify(sanityList(right)) === JSON.stringify(sanityList(request.counts));
      const says = (status: string) => (reply: Reply) => isDone(reply) && statusOf(reply) === status;
      return [
        isRight ? { state, answer: says('ok') } : { state: { ...state, session: undefined }, answer: says('bad') },
      ];
    }
    case 'finish': {
      const { notes } = session;
      const stamp = `finish ${request.id}`;
      return [{ state: { ...state, notes, usn: state.usn + 1, stamp, session: undefined }, answer: isDone }];
    }
    default:
      return request satisfies never;
  }
}

function remember(state: CollectionState, key: string): CollectionState {
  return { ...state, told: new Map(state.told).set(key, state.stamp) };
}

function isMetaOf(state: CollectionState, { body }: Reply): boolean {
  const { usn, scm, cont } = JSON.parse(body.toString());
  return usn === state.usn && scm === state.scm && cont === true;
}

function statusOf({ body }: Reply): unknown {
  return JSON.parse(body.toString()).status;
}

function isFileOf(state: CollectionState, { body }: Reply): boolean {
  const { usn, scm, notes } = readCollection(body);
  return usn === state.usn && scm === state.scm && notesText(notes) === notesText(state.notes);
}

/** What the model knows of a collection file. */
export function readCollection(bytes: Uint8Array): Pick<CollectionState, 'usn' | 'scm' | 'notes'> {
  const copy = Uint8Array.from(bytes);
  copy.set([1, 1], 18); // A database in memory has no WAL.
  using db = new DatabaseSync(':memory:');
  db.deserialize(copy);
  const { usn, scm } = db.prepare('SELECT usn, scm FROM col').get() ?? {};
  const notes = new Map(
    db
      .prepare('SELECT id, mod FROM notes')
      .all()
      .map((row) => [Number(row['id']), Number(row['mod'])]),
  );
  return { usn: Number(usn), scm: Number(scm), notes };
}

export function notesText(notes: ReadonlyMap<number, number>): string {
  return [...notes]
    .sort(([a], [b]) => a - b)
    .map(([id, mtime]) => `${id}:${mtime}`)
    .join();
}

/** Equal for equal states. */
export function collectionText({ stamp, usn, notes, session, told }: CollectionState): string {
  const running = session === undefined ? '' : `${session.key} ${session.device} ${notesText(session.notes)}`;
  return [stamp, usn, notesText(notes), running, [...told].sort().join()].join('|');
}

/** A key that is not used again need not be remembered. */
export function forget(state: CollectionState, isUsed: (key: string) => boolean): CollectionState {
  return { ...state, told: new Map([...state.told].filter(([key]) => isUsed(key))) };
}
