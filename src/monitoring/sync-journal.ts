import type { SyncEnded } from '../collection/sync-ended.ts';
import type { Log } from '../log.ts';
import { MEDIA_METHODS, type MediaMethod } from '../protocol/message.ts';
import type { MediaEnd } from './media-syncs.ts';
import { MediaSyncs } from './media-syncs.ts';
import type { RequestOver } from './request-over.ts';
import type { SyncOutcome } from './sync-outcome.ts';
import { summaryOf } from './sync-words.ts';

/** Writes one line for every sync that is over, of whatever kind, and tells others of it. */
export class SyncJournal {
  readonly #log: Log;
  readonly #tell: (outcome: SyncOutcome) => void;
  readonly #media = new MediaSyncs((outcome) => this.#write(outcome));

  constructor(log: Log, tell: (outcome: SyncOutcome) => void) {
    this.#log = log;
    this.#tell = tell;
  }

  /** A sync between `start` and `finish` is over. */
  syncEnded({ user, sessionKey, client, ending, why, detail, elapsedMs, tally }: SyncEnded): void {
    this.#write({ kind: 'normal', result: ending, user, sessionKey, client, elapsedMs, why, detail, tally });
  }

  /** Any request is over. */
  requestOver(over: RequestOver): void {
    const { method, user, report } = over;
    if (method === undefined || user === undefined) return;
    if (method === 'upload' || method === 'download') this.#wholeCollection(over, user, method);
    else if (method === 'meta') this.#refusedMeta(over, user);
    else if (isMediaMethod(method)) {
      const end = endOf(over);
      if (method === 'begin') this.#media.begun(over, user);
      if (report?.media !== undefined) this.#media.add(over, user, report.media);
      if (end !== undefined) this.#media.fail(over, user, end);
    }
  }

  /** Tells of media syncs that are open, because the server stops. */
  close(): void {
    this.#media.close();
  }

  #wholeCollection(over: RequestOver, user: string, kind: 'upload' | 'download'): void {
    const { sessionKey, client, elapsedMs, report } = over;
    const collection = report?.collection;
    const isStored = kind === 'upload' && collection !== undefined; // Even if the client did not hear of it.
    const end = (isStored ? undefined : endOf(over)) ?? { result: 'done' };
    this.#write({ kind, user, sessionKey, client, elapsedMs, ...end, ...(collection !== undefined && { collection }) });
  }

  /** The client will not go on. That it only looked whether there is news cannot be told apart from a sync. */
  #refusedMeta(over: RequestOver, user: string): void {
    const { sessionKey, client, elapsedMs } = over;
    const end = endOf(over);
    if (end !== undefined) this.#write({ kind: 'normal', user, sessionKey, client, elapsedMs, ...end });
  }

  #write(outcome: SyncOutcome): void {
    const { kind, result, user, sessionKey, client, elapsedMs, detail, tally, collection, media } = outcome;
    const fields = {
      ...(sessionKey !== '' && { session: sessionKey }),
      ...(detail !== undefined && { reason: detail }),
      details: {
        event: 'sync',
        kind,
        result,
        user,
        client,
        elap_ms: Math.round(elapsedMs),
        ...(tally !== undefined && { sent: tally.sent, got: tally.got }),
        ...(collection !== undefined && { collection }),
        ...(media !== undefined && { media }),
      },
    };
    this.#log[isWorrying(outcome) ? 'warn' : 'info'](fields, summaryOf(outcome));
    this.#tell(outcome);
  }
}

/** Should somebody look at it? Devices whose media differ compare them all the next time, by themselves. */
function isWorrying({ kind, result }: SyncOutcome): boolean {
  return result === 'failed' || result === 'refused' || (result === 'inconsistent' && kind !== 'media');
}

function isMediaMethod(method: string): method is MediaMethod {
  return MEDIA_METHODS.some((each) => each === method);
}

/** Why the message did not do what its client wanted; undefined when it did. */
export function endOf({ method, status, isComplete, failure, report }: RequestOver): MediaEnd | undefined {
  if (report?.refusal !== undefined) {
    return { result: 'refused', why: `${method} was answered with a refusal`, detail: report.refusal };
  }
  if (failure?.isFault) return { result: 'failed', why: `${method} failed`, detail: failure.why };
  if (!isComplete) {
    const detail = failure?.why ?? 'The client closed the connection before it had the whole answer';
    return { result: 'cut off', why: `the connection was lost during ${method}`, detail };
  }
  if (failure === undefined) return undefined;
  const result = status === 409 ? 'conflict' : 'refused';
  return { result, why: `${method} was refused with status ${status}`, detail: failure.why };
}
