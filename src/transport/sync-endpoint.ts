import { rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from '../accounts/dispatcher.ts';
import { answerHostKey } from '../accounts/login.ts';
import { causesOf, SyncError } from '../errors.ts';
import type { Answer, Dress, MediaMethod, Message, SyncMethod } from '../protocol/message.ts';
import { isFormType } from './address.ts';
import { ClientGoneError } from './body-reader.ts';
import { errorResponse } from './error-response.ts';
import type { CallContext, IncomingCall, OpenCall } from './incoming-call.ts';
import { readBeginQuery, readLegacyCall } from './legacy-call.ts';
import { readModernCall } from './modern-call.ts';
import { disposeOfFile, type Outgoing, sendAnswer } from './outgoing-answer.ts';
import type { RequestLog } from './request-log.ts';
import { syncHeaderName } from './sync-header.ts';

/** One request to a method, and where it is logged. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: SyncMethod | MediaMethod;
  readonly log: RequestLog;
}

export interface SyncEndpointOptions extends CallContext {
  readonly dispatcher: Dispatcher;
}

/** What the official server says to a collection that is too large; clients show it. */
const uploadTooLargeText = 'collection exceeds size limit';

/** Answers sync messages: from the bytes of a request to the bytes of its response. */
export class SyncEndpoint {
  readonly #options: SyncEndpointOptions;

  constructor(options: SyncEndpointOptions) {
    this.#options = options;
  }

  /** Never throws: what goes wrong is answered and logged. */
  async handle(exchange: Exchange): Promise<void> {
    using _ = exchange.log.hold();
    try {
      await this.#answer(exchange, await this.#read(exchange));
    } catch (error) {
      answerError(exchange, error);
    }
  }

  async #read({ request, method, log }: Exchange): Promise<IncomingCall> {
    const call: OpenCall = {
      request,
      method,
      identify: ({ user, sessionKey, clientVersion }) =>
        log.add({
          ...(user !== undefined && { uid: user }),
          ...(sessionKey !== undefined && { session: sessionKey }),
          ...(clientVersion !== undefined && { client: clientVersion }),
        }),
    };
    const syncHeader = request.headersDistinct[syncHeaderName]?.[0]; // Of several the first counts.
    if (syncHeader !== undefined) return readModernCall(call, syncHeader, this.#options);
    if (request.method !== 'POST') return readBeginQuery(call, queryOf(request), this.#options);
    const contentType = request.headers['content-type'];
    if (contentType !== undefined && isFormType(contentType)) return readLegacyCall(call, contentType, this.#options);
    throw new SyncError('malformedRequest', `Cannot read the request: no ${syncHeaderName} header and no form`);
  }

  async #answer(exchange: Exchange, call: IncomingCall): Promise<void> {
    switch (call.kind) {
      case 'message':
        return this.#answerMessage(exchange, call.message);
      case 'login': {
        const { user, json } = await answerHostKey(call.payload, this.#options.accounts);
        exchange.log.add({ uid: user });
        return sendAnswer(textAnswer(json), this.#outgoing(exchange, call.dress));
      }
      case 'uploadTooLarge':
        exchange.log.add({ context: uploadTooLargeText });
        return sendAnswer(textAnswer(uploadTooLargeText), this.#outgoing(exchange, call.dress));
      default:
        return call satisfies never;
    }
  }

  async #answerMessage(exchange: Exchange, message: Message): Promise<void> {
    const { dispatcher } = this.#options;
    const answer = await this.#dispatch(message);
    try {
      await sendAnswer(answer, this.#outgoing(exchange, message.dress));
    } finally {
      if (answer.kind === 'file') await disposeOfFile(answer, () => dispatcher.release(message.folder));
    }
  }

  async #dispatch(message: Message): Promise<Answer> {
    try {
      return await this.#options.dispatcher.dispatch(message);
    } finally {
      // Whoever receives a file moves or deletes it; after a failure it may still be there.
      if (message.payload.kind === 'file') await rm(message.payload.path, { force: true });
    }
  }

  #outgoing({ response }: Exchange, dress: Dress): Outgoing {
    return { response, dress, stalledMsMax: this.#options.stalledMsMax };
  }
}

/** Tells the client what went wrong, and the log why. */
export function answerError({ response, log }: Pick<Exchange, 'response' | 'log'>, error: unknown): void {
  const { status, reason, body } = errorResponse(error);
  const isGone = error instanceof ClientGoneError || response.destroyed;
  const isFault = status === 500 && !isGone;
  log.fail(causesOf(error), isFault);
  if (isFault && !(error instanceof SyncError) && error instanceof Error) log.add({ stack: error.stack });
  if (isGone || response.headersSent) {
    response.destroy(); // Half an answer must not look like a whole one.
    return;
  }
  response.writeHead(status, reason, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(status === 408 && { connection: 'close' }),
  });
  response.end(body);
}

function textAnswer(text: string): Answer {
  return { kind: 'bytes', bytes: new TextEncoder().encode(text) };
}

function queryOf(request: IncomingMessage): URLSearchParams {
  const target = request.url ?? '';
  const queryAt = target.indexOf('?');
  return new URLSearchParams(queryAt === -1 ? '' : target.slice(queryAt + 1));
}
