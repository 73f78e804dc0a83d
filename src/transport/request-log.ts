import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log, LogFields } from '../log.ts';
import type { ObserveRequest, RequestFailure } from '../monitoring/request-over.ts';
import type { MediaMethod, SyncMethod } from '../protocol/message.ts';
import type { Report } from '../protocol/report.ts';
import { pathOf } from './address.ts';
import { slowAnswerMsMin } from './http-limits.ts';
import type { Sender } from './incoming-call.ts';

interface BytesMoved {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Bytes that earlier requests of a connection moved. */
const countedBytes = new WeakMap<Socket, { -readonly [Key in keyof BytesMoved]: BytesMoved[Key] }>();

/** A longer path is cut, characters. */
const pathCharsMax = 200;

/** Asked for every few seconds by container platforms and monitoring. */
const PROBES: readonly string[] = ['/health', '/ready', '/metrics'];

const details = { event: 'request' };

/** How a request ended on the wire. */
interface RequestEnd extends BytesMoved {
  /** 0 when nothing was answered. */
  readonly status: number;
  readonly elapsedMs: number;
  readonly isComplete: boolean;
}

/** Where finished requests are told. */
export interface RequestListeners {
  readonly log: Log;
  readonly observeRequest?: ObserveRequest;
}

/**
 * What is logged of a request, in one line when it is over. Field names are those of the official server. Never in
 * here: host keys and passwords, so no query string either.
 */
export class RequestLog implements Disposable {
  readonly #listeners: RequestListeners;
  readonly #path: string;
  readonly #startedMs = performance.now();
  readonly #fields: Record<string, unknown>;
  readonly #sender: Sender = {};
  #method: SyncMethod | MediaMethod | undefined;
  #failure: RequestFailure | undefined;
  #report: Report | undefined;
  #answerMs = 0;
  /** What is to be written once nobody works on the request any more. */
  #outcome: (() => void) | undefined;
  #holds = 0;

  constructor(listeners: RequestListeners, target: string) {
    this.#listeners = listeners;
    this.#path = pathOf(target).slice(0, pathCharsMax);
    this.#fields = { uri: this.#path };
  }

  /** More to be logged. */
  add(fields: LogFields): void {
    Object.assign(this.#fields, fields);
  }

  /** It is a sync message. */
  asksFor(method: SyncMethod | MediaMethod): void {
    this.#method = method;
  }

  /** Who is asking, as far as it is known by now. */
  identify(sender: Sender): void {
    Object.assign(this.#sender, sender);
    const { user, sessionKey, clientVersion, deviceId } = sender;
    if (user !== undefined) this.#fields['uid'] = user;
    if (deviceId !== undefined) this.#fields['device'] = deviceId;
    if (sessionKey) this.#fields['session'] = sessionKey;
    if (clientVersion) this.#fields['client'] = clientVersion;
  }

  /** Why it failed, in words. A fault is ours, everything else the sender's. */
  fail(why: string, isFault: boolean): void {
    this.#failure = { why, isFault };
    this.add({ context: why });
  }

  /** What the message did, and how long its answer took to be made, milliseconds. */
  answered(report: Report | undefined, elapsedMs: number): void {
    this.#report = report;
    this.#answerMs = elapsedMs;
    if (report?.refusal !== undefined) this.add({ context: report.refusal });
  }

  /** Keeps the line back while the request is worked on, which may be longer than its client waits for the answer. */
  hold(): Disposable {
    this.#holds++;
    return this;
  }

  /** Ends one hold. */
  [Symbol.dispose](): void {
    if (--this.#holds === 0) this.#outcome?.();
  }

  /** Writes the line when the response is over, whichever way. */
  writeAfter(response: ServerResponse): void {
    const { socket } = response; // Gone from the response by then.
    response.on('close', () => {
      const status = response.headersSent ? response.statusCode : 0;
      const elapsedMs = performance.now() - this.#startedMs;
      const moved = socket === null ? { bytesIn: 0, bytesOut: 0 } : bytesSince(socket);
      const isComplete = response.writableFinished;
      this.#outcome = () => this.#isOver({ status, elapsedMs, isComplete, ...moved });
      if (this.#holds === 0) this.#outcome();
    });
  }

  #isOver(end: RequestEnd): void {
    this.#write(end);
    const { user, sessionKey = '', clientVersion: client = '' } = this.#sender;
    this.#listeners.observeRequest?.({
      method: this.#method,
      path: this.#path,
      user,
      sessionKey,
      client,
      failure: this.#failure,
      report: this.#report,
      ...end,
    });
  }

  #write({ status, elapsedMs, isComplete, bytesIn, bytesOut }: RequestEnd): void {
    const isSlow = this.#answerMs >= slowAnswerMsMin;
    const fields = this.#fields;
    fields['httpstatus'] = status;
    fields['elap_ms'] = Math.round(elapsedMs);
    if (isSlow) fields['answer_ms'] = Math.round(this.#answerMs);
    fields['bytes_in'] = bytesIn;
    fields['bytes_out'] = bytesOut;
    fields['details'] = details;
    const { log } = this.#listeners;
    if (this.#failure?.isFault) log.error(fields, 'failed');
    else if (!isComplete) log.info(fields, 'cut off');
    else if (this.#failure !== undefined || this.#report?.refusal !== undefined) log.info(fields, 'refused');
    else if (PROBES.includes(this.#path)) log.debug(fields, 'finished');
    else if (isSlow) log.warn(fields, 'finished late');
    else log.info(fields, 'finished');
  }
}

function bytesSince(socket: Socket): BytesMoved {
  let counted = countedBytes.get(socket);
  if (counted === undefined) {
    counted = { bytesIn: 0, bytesOut: 0 };
    countedBytes.set(socket, counted);
  }
  const { bytesRead, bytesWritten } = socket;
  const moved = { bytesIn: bytesRead - counted.bytesIn, bytesOut: bytesWritten - counted.bytesOut };
  counted.bytesIn = bytesRead;
  counted.bytesOut = bytesWritten;
  return moved;
}
