import { parentPort } from 'node:worker_threads';
import type { Log } from '../log.ts';
import { type CallMap, type CallRequest, toFailure, type WorkerPost } from './thread-calls.ts';
import type { WorkEvent } from './work-event.ts';

/** In a worker: answers the calls of the main thread with these methods. */
export function serveCalls<Calls extends CallMap<Calls>>(calls: Calls): void {
  const port = parentPort;
  if (port === null) throw new Error('This file runs in a worker thread only');
  port.on('message', (request: CallRequest) => {
    // The main thread's `ThreadClient` is typed by the same map, so name and argument fit.
    const method = calls[request.name as keyof Calls] as unknown as (argument: unknown) => Promise<unknown>;
    method(request.argument).then(
      (result) => post({ kind: 'result', id: request.id, result }, transferablesOf(result)),
      (error: unknown) => post({ kind: 'failure', id: request.id, failure: toFailure(error) }),
    );
  });
  function post(message: WorkerPost, transfer: ArrayBuffer[] = []): void {
    port?.postMessage(message, transfer);
  }
}

/** In a worker: tells the main thread what happened beside the answers. */
export function tellMainThread(event: WorkEvent): void {
  parentPort?.postMessage({ kind: 'event', event } satisfies WorkerPost);
}

/** In a worker: a log whose lines the main thread writes. */
export function workerLog(): Log {
  const at =
    (level: keyof Log): Log['info'] =>
    (fields, text) =>
      parentPort?.postMessage({ kind: 'log', level, fields, text } satisfies WorkerPost);
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** To give a buffer away takes longer than to copy so many bytes. */
const transferredBytesMin = 16 * 1024;

/** The buffers in `{ answer: { bytes } }`, which move to the other thread instead of being copied. */
function transferablesOf(result: unknown): ArrayBuffer[] {
  if (typeof result !== 'object' || result === null || !('answer' in result)) return [];
  const { answer } = result;
  if (typeof answer !== 'object' || answer === null || !('bytes' in answer)) return [];
  const { bytes } = answer;
  // A slice of Node's shared pool must not be given away.
  const isWhole = bytes instanceof Uint8Array && bytes.byteLength === bytes.buffer.byteLength;
  if (isWhole && bytes.byteLength < transferredBytesMin) return [];
  return isWhole && bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
}
