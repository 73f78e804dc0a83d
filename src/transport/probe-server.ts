import { type FastifyInstance, fastify } from 'fastify';
import type { Log } from '../log.ts';
import { headersMsMax } from './http-limits.ts';
import { addProbes, type Probes } from './probes.ts';

/** A listener for monitoring alone. It answers until the very end of the process, also while the server stops. */
export class ProbeServer implements AsyncDisposable {
  readonly #app: FastifyInstance;

  constructor(probes: Probes, log: Log) {
    this.#app = fastify({ http: { headersTimeout: headersMsMax } });
    addProbes(this.#app, probes, ({ ip, url }, context) =>
      log.info({ uri: url.replace(/\?.*$/s, ''), ip, context }, 'refused'),
    );
  }

  /** Starts to listen. Returns the port. Throws when the address cannot be had. */
  async listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    await this.#app.listen(address);
    const bound = this.#app.server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : address.port;
  }

  async close(): Promise<void> {
    this.#app.server.closeAllConnections();
    await this.#app.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
