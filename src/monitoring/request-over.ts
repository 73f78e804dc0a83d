import type { MediaMethod, SyncMethod } from '../protocol/message.ts';
import type { Report } from '../protocol/report.ts';

/** A request that nobody works on any more: what is known of it. */
export interface RequestOver {
  /** Undefined for everything that is no sync message. */
  readonly method: SyncMethod | MediaMethod | undefined;
  /** The address without the query; from outside. */
  readonly path: string;
  /** Undefined for senders with an unknown host key, and before a login has succeeded. */
  readonly user: string | undefined;
  readonly sessionKey: string;
  /** What the client calls itself; from outside. */
  readonly client: string;
  /** HTTP status; 0 when nothing was answered. */
  readonly status: number;
  readonly elapsedMs: number;
  /** On the wire, with headers. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The whole answer has left this process. */
  readonly isComplete: boolean;
  readonly failure: RequestFailure | undefined;
  readonly report: Report | undefined;
}

export interface RequestFailure {
  /** Why, in words, with all causes; may quote what came from outside. */
  readonly why: string;
  /** A fault of this server, not of the sender. */
  readonly isFault: boolean;
}

export type ObserveRequest = (over: RequestOver) => void;
