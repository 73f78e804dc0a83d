import http, { type RequestOptions } from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface Heard {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
  /** With TLS. */
  readonly protocol?: string | null;
  readonly certificateName?: string | undefined;
}

/** One request; `over` says where and how. */
export function ask(over: https.RequestOptions & { readonly tls?: boolean }, body?: Uint8Array): Promise<Heard> {
  const { promise, resolve, reject } = Promise.withResolvers<Heard>();
  const options: RequestOptions = { host: '127.0.0.1', agent: false, path: '/health', ...over };
  const request = (over.tls === true ? https : http).request(options, async (response) => {
    const { statusCode: status = 0, statusMessage: reason = '' } = response;
    const tls = over.tls === true ? (response.socket as TLSSocket) : undefined;
    const certificateName = tls?.getPeerCertificate().subject.CN;
    const protocol = tls?.getProtocol() ?? null;
    try {
      resolve({
        status,
        reason,
        body: Buffer.concat(await response.toArray()).toString(),
        protocol,
        certificateName: String(certificateName),
      });
    } catch (error) {
      reject(error);
    }
  });
  request.on('error', reject);
  request.end(body);
  return promise;
}
