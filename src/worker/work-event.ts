import type { SyncEnded } from '../collection/sync-ended.ts';

/** Work on a whole file in a thread of its own, such as the check of an upload. */
export interface HeavyJobEnded {
  readonly kind: 'heavy job ended';
  /** Name of the call, see `HeavyCalls`. */
  readonly job: string;
  /** From the order to the result, milliseconds: waiting for a thread counts. */
  readonly elapsedMs: number;
  readonly isDone: boolean;
  /** Whose files it was about, if the order says so. */
  readonly user: string | undefined;
}

/** A thread ended by an error; its log line says which. */
export interface ThreadDied {
  readonly kind: 'thread died';
}

/** What happens in the threads beside the answers that they give, for log and metrics. */
export type WorkEvent = SyncEnded | HeavyJobEnded | ThreadDied;

export type TellWorkEvent = (event: WorkEvent) => void;
