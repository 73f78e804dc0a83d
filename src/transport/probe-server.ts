import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { causesOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { pathOf } from './address.ts';
import { errorResponse } from './error-response.ts';
import { headersMsMax } from './http-limits.ts';
import { type PageAnswer, type Pages, pageAnswer, sendPage } from './pages.ts';
import { type Probes, probePages } from './probes.ts';

/** A listener for monitoring alone. It answers until the very end of the process, also while the server stops. */
export class ProbeServer implements AsyncDisposable {
  readonly #pages: Pages;
  readonly #log: Log;
  readonly #server: Server;

  constructor(probes: Probes, log: Log) {
    this.#pages = probePages(probes);
    this.#log = log;
    this.#server = createServer({ headersTimeout: headersMsMax }, (request, response) => {
      void this.#answer(request, response);
    });
  }

  /** Starts to listen. Returns the port. Throws when the address cannot be had. */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    this.#server.listen({ host, port });
    await once(this.#server, 'listening');
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await pageAnswer(request, this.#pages).catch((error: unknown) => this.#failure(error));
    if (answer.refusal !== undefined) {
      const uri = pathOf(request.url ?? '/');
      this.#log.info({ uri, ip: request.socket.remoteAddress, context: answer.refusal }, 'refused');
    }
    sendPage(response, answer);
  }

  #failure(error: unknown): PageAnswer {
    const { status, body } = errorResponse(error);
    if (status === 500) this.#log.error({ reason: causesOf(error) }, 'Cannot answer monitoring');
    return { status, text: body };
  }
}
