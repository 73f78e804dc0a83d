import { rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerHostKey, type LoginAccounts } from '../accounts/login.ts';
import type { LoginThrottle } from '../accounts/login-throttle.ts';
import type { RunningRequest } from '../accounts/running-requests.ts';
import { causesOf, SyncError } from '../errors.ts';
import type { Dispatcher } from '../lanes/dispatcher.ts';
import type { Answer, Dress, MediaMethod, Message, SyncMethod } from '../protocol/message.ts';
import { isFormType } from './address.ts';
import { AheadRoom } from './ahead-room.ts';
import { ClientGoneError } from './body-reader.ts';
import type { ClientAddress } from './client-address.ts';
import { errorResponse } from './error-response.ts';
import { aheadPlacesMax, compressedAheadBytesMax, streamPieceBytes } from './http-limits.ts';
import type { CallContext, IncomingCall, OpenCall, Sender } from './incoming-call.ts';
import { readBeginQuery, readLegacyCall } from './legacy-call.ts';
import { readModernCall } from './modern-call.ts';
import { disposeOfFile, type Outgoing, sendAnswer } from './outgoing-answer.ts';
import { plainText } from './pages.ts';
import type { RequestLog } from './request-log.ts';
import { syncHeaderName } from './sync-header.ts';

/** One request to a method, and where it is logged. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: SyncMethod | MediaMethod;
  readonly log: RequestLog;
  readonly caller: ClientAddress;
}

/** An exchange that ends when its sender may sync no more; see `RunningRequests`. */
type Followed = Exchange & { running?: RunningRequest; client?: string };

export interface SyncEndpointOptions extends CallContext {
  readonly dispatcher: Dispatcher;
  readonly throttle: LoginThrottle;
}

/** What the official server says to a collection that is too large; clients show it. */
const uploadTooLargeText = 'collection exceeds size limit';

/** Answers sync messages: from the bytes of a request to the bytes of its response. */
export class SyncEndpoint {
  readonly #options: SyncEndpointOptions;
  readonly #aheadRoom = new AheadRoom({
    places: aheadPlacesMax,
    bytesMuch: compressedAheadBytesMax,
    bytesLittle: streamPieceBytes,
  });

  constructor(options: SyncEndpointOptions) {
    this.#options = options;
  }

  /** Never throws: what goes wrong is answered and logged. */
  async handle(given: Exchange): Promise<void> {
    using _ = given.log.hold();
    const exchange: Followed = { ...given };
    try {
      await this.#answer(exchange, await this.#read(exchange));
    } catch (error) {
      const isWrongKey =
        error instanceof SyncError && error.code === 'hostKeyRejected' && exchange.method !== 'hostKey';
      if (isWrongKey) await this.#options.throttle.sawWrongKey(exchange.caller);
      answerError(exchange, error);
    } finally {
      exchange.running?.[Symbol.dispose]();
    }
  }

  async #read(exchange: Followed): Promise<IncomingCall> {
    const { request, method, log, caller } = exchange;
    log.asksFor(method);
    const identify = ({ hostKey, ...sender }: Sender): void => {
      log.identify(sender);
      if (method === 'upload' && hostKey !== undefined) this.#options.dispatcher.uploadBegins();
      this.#follow(exchange, sender, hostKey);
    };
    const call: OpenCall = { request, method, address: caller.ip, identify };
    const syncHeader = firstHeader(request, syncHeaderName);
    if (syncHeader !== undefined) return readModernCall(call, syncHeader, this.#options);
    if (request.method !== 'POST') return readBeginQuery(call, queryOf(request), this.#options);
    const contentType = request.headers['content-type'];
    if (contentType !== undefined && isFormType(contentType)) return readLegacyCall(call, contentType, this.#options);
    throw new SyncError('malformedRequest', `Cannot read the request: no ${syncHeaderName} header and no form`);
  }

  #follow(exchange: Followed, { user, clientVersion }: Sender, hostKey: string | undefined): void {
    if (clientVersion !== undefined) exchange.client = clientVersion;
    if (user === undefined || hostKey === undefined) return;
    const cut = (): void => void exchange.request.socket.destroy();
    exchange.running ??= this.#options.accounts.running.begin({ user, hostKey, cut });
  }

  async #answer(exchange: Followed, call: IncomingCall): Promise<void> {
    switch (call.kind) {
      case 'message':
        this.#options.throttle.sawUser(call.message.folder.user, exchange.caller);
        return this.#answerMessage(exchange, call.message);
      case 'login': {
        const { user, json } = await answerHostKey(call.payload, this.#guardedAccounts(exchange.caller), {
          client: exchange.client ?? '',
        });
        exchange.log.identify({ user });
        return sendAnswer(textAnswer(json), this.#outgoing(exchange, call.dress));
      }
      case 'uploadTooLarge':
        exchange.log.answered({ refusal: uploadTooLargeText }, 0);
        return sendAnswer(textAnswer(uploadTooLargeText), this.#outgoing(exchange, call.dress));
      default:
        return call satisfies never;
    }
  }

  async #answerMessage(exchange: Followed, message: Message): Promise<void> {
    const { dispatcher } = this.#options;
    const startedMs = performance.now();
    if (exchange.running !== undefined) exchange.running.movesBytes = false;
    const answer = await this.#dispatch(message);
    if (exchange.running !== undefined) exchange.running.movesBytes = true;
    exchange.log.answered(answer.report, performance.now() - startedMs);
    try {
      await sendAnswer(answer, this.#outgoing(exchange, message.dress));
    } finally {
      if (answer.kind === 'file') await disposeOfFile(answer, () => dispatcher.release(message.folder));
    }
  }

  #dispatch(message: Message): Promise<Answer> {
    const answered = this.#options.dispatcher.dispatch(message);
    const { payload } = message;
    if (payload.kind !== 'file') return answered;
    // Whoever receives a file moves or deletes it; after a failure it may still be there.
    return answered.finally(() => rm(payload.path, { force: true }));
  }

  /** Logins in the name of whoever calls. */
  #guardedAccounts(from: ClientAddress): LoginAccounts {
    const { accounts, throttle } = this.#options;
    return {
      login: (user, password, sighting) =>
        throttle.guard({ user, from }, () => accounts.login(user, password, { address: from.ip, ...sighting })),
    };
  }

  #outgoing({ response }: Exchange, dress: Dress): Outgoing {
    return { response, dress, stalledMsMax: this.#options.stalledMsMax, aheadRoom: this.#aheadRoom };
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
    ...plainText,
    'content-length': Buffer.byteLength(body),
    ...(status === 408 && { connection: 'close' }),
  });
  response.end(body);
}

function textAnswer(text: string): Answer {
  return { kind: 'bytes', bytes: new TextEncoder().encode(text) };
}

/** Of several headers of one name the first counts; Node would join them. */
function firstHeader({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.toLowerCase() === name) return rawHeaders[at + 1];
  return undefined;
}

function queryOf(request: IncomingMessage): URLSearchParams {
  const target = request.url ?? '';
  const queryAt = target.indexOf('?');
  return new URLSearchParams(queryAt === -1 ? '' : target.slice(queryAt + 1));
}
