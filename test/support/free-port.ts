import { once } from 'node:events';
import { createServer } from 'node:net';

/** A port that was free a moment ago, of 127.0.0.1 or of another address of this computer. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const probe = createServer().listen(0, host);
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return address.port;
}
