import { SyncError, type SyncErrorCode } from '../errors.ts';
import type { Log, LogFields } from '../log.ts';
import type { WorkEvent } from './work-event.ts';

/** Methods that a thread offers: each takes one cloneable argument and resolves to a cloneable result. */
export type CallMap<Calls> = { readonly [Name in keyof Calls]: (argument: never) => Promise<unknown> };

/** From the main thread to a worker. */
export interface CallRequest {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

/** From a worker to the main thread. */
export type WorkerPost =
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly failure: Failure }
  | { readonly kind: 'event'; readonly event: WorkEvent }
  | { readonly kind: 'log'; readonly level: keyof Log; readonly fields: LogFields; readonly text: string };

/** An error on its way between threads: nothing of it gets lost. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Code of a `SyncError`. */
  readonly syncCode: SyncErrorCode | undefined;
  /** Code of a system or SQLite error, such as `ENOSPC`. */
  readonly systemCode: unknown;
  readonly cause: Failure | undefined;
}

export function toFailure(error: unknown): Failure {
  if (!(error instanceof Error)) {
    const text = String(error);
    return {
      name: 'Error',
      message: text,
      stack: undefined,
      syncCode: undefined,
      systemCode: undefined,
      cause: undefined,
    };
  }
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    syncCode: error instanceof SyncError ? error.code : undefined,
    systemCode: 'code' in error && !(error instanceof SyncError) ? error.code : undefined,
    cause: error.cause === undefined ? undefined : toFailure(error.cause),
  };
}

export function fromFailure(failure: Failure): Error {
  const options = failure.cause === undefined ? undefined : { cause: fromFailure(failure.cause) };
  const error =
    failure.syncCode === undefined
      ? new Error(failure.message, options)
      : new SyncError(failure.syncCode, failure.message, options);
  error.name = failure.name;
  if (failure.stack !== undefined) error.stack = failure.stack;
  return failure.systemCode === undefined ? error : Object.assign(error, { code: failure.systemCode });
}
