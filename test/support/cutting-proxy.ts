import { once } from 'node:events';
import http from 'node:http';

/** Where a message can be stopped: on its way to the server, or when the server has answered. */
export type Moment = 'before' | 'after';

/** A message that passes: `sync/meta`, `msync/uploadChanges`, … */
export interface Passing {
  readonly method: string;
  /** Counted from 1 since the last `watch`. */
  readonly number: number;
  readonly moment: Moment;
  /** The server's answer; undefined before it. */
  readonly status: number | undefined;
}

/** What to do with it; `cut` closes the client's connection without an answer. */
export type Decision = 'pass' | 'cut';

type Watcher = (passing: Passing) => Decision | Promise<Decision>;

/** A proxy between a client and the server that asks before it passes anything on, and keeps a list of what passed. */
export class CuttingProxy {
  /** Messages that were passed on, in order. */
  readonly passed: string[] = [];
  readonly #server: http.Server;
  readonly #upstream: { readonly url: string };
  #watcher: Watcher = () => 'pass';
  #count = 0;

  /** `upstream` is asked for its address at each message: a server may come back. */
  static async start(upstream: { readonly url: string }): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(upstream);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(upstream: { readonly url: string }) {
    this.#upstream = upstream;
    this.#server = http.createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `http://127.0.0.1:${address.port}/`;
  }

  /** From now on `watcher` decides; counting begins anew. */
  watch(watcher: Watcher): void {
    this.#watcher = watcher;
    this.#count = 0;
    this.passed.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const method = new URL(request.url ?? '/', this.url).pathname.slice(1);
    const number = ++this.#count;
    const watcher = this.#watcher;
    if ((await watcher({ method, number, moment: 'before', status: undefined })) === 'cut') {
      request.socket.destroy();
      return;
    }
    const answer = await this.#forward(request, body);
    this.passed.push(method);
    if ((await watcher({ method, number, moment: 'after', status: answer.status })) === 'cut') {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  async #forward(
    request: http.IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: http.OutgoingHttpHeaders; body: Buffer }> {
    const { 'transfer-encoding': _, connection: __, ...headers } = request.headers;
    const outgoing = http.request(new URL(request.url ?? '/', this.#upstream.url), {
      method: request.method,
      headers: { ...headers, 'content-length': body.length },
      agent: false,
    });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [http.IncomingMessage];
    const answer = Buffer.concat(await incoming.toArray());
    const { 'transfer-encoding': ___, connection: ____, ...answerHeaders } = incoming.headers;
    return {
      status: incoming.statusCode ?? 502,
      headers: { ...answerHeaders, 'content-length': answer.length },
      body: answer,
    };
  }
}
