import type { OpenCounts } from '../worker/collection-calls.ts';

/** What the lanes and threads are doing at a moment. */
export interface WorkState {
  /** Users of whom a message is being answered. */
  readonly activeLanes: number;
  /** Messages that wait for an earlier one of the same user. */
  readonly waitingMessages: number;
  /** How long the oldest message that is being answered has taken, milliseconds. */
  readonly longestMs: number;
  /** Work on whole files that runs or waits. */
  readonly heavyJobs: number;
  /** One entry for each thread that owns collections and has been started; undefined: it did not answer in time. */
  readonly threads: readonly (OpenCounts | undefined)[];
}
