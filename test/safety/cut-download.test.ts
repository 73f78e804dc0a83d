import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import type { ClientVersion } from '../support/clients.ts';
import { newestClient } from '../support/clients.ts';
import { startServer } from '../support/server.ts';
import { uploadAll } from '../support/steps.ts';

/** One client of each generation. */
const versions: readonly ClientVersion[] = ['2.1.54', '2.1.66', '23.10.1', newestClient];
/** What stays behind of a download, bytes: as little as can be. */
const missingBytes = 1;

/** Stands before a server and breaks downloads off as the server does that finds damage: just before their end. */
async function breakingProxy(upstream: string): Promise<http.Server> {
  const server = http.createServer(async (request, response) => {
    const outgoing = http.request(new URL(request.url ?? '/', upstream), {
      method: request.method,
      headers: request.headers,
      agent: false,
    });
    request.pipe(outgoing);
    const [incoming] = (await once(outgoing, 'response')) as [http.IncomingMessage];
    response.writeHead(incoming.statusCode ?? 502, incoming.headers);
    if (request.url !== '/sync/download') {
      incoming.pipe(response);
      return;
    }
    const body = Buffer.concat(await incoming.toArray());
    response.write(body.subarray(0, body.length - missingBytes), () => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test('a client whose download is cut off before its last byte says so and keeps the collection that it has', async () => {
  await using server = await startServer({ users: versions.length });
  const proxy = await breakingProxy(server.url);
  const address = proxy.address();
  assert.ok(address !== null && typeof address !== 'string');
  try {
    for (const version of versions) {
      const user = server.unusedUser();
      await using laptop = await server.device({ version: newestClient, user, name: 'laptop' });
      await laptop.addNote({ fields: ['on the server', ''] });
      await uploadAll(laptop);
      await using device = await server.device({ version, user, name: `desktop ${version}` });
      await device.addNote({ fields: ['on the device only', ''] });
      assert.notEqual(await device.outcome(), 'normal');
      await device.connect(`http://127.0.0.1:${address.port}/`);
      await assert.rejects(device.download(), version);
      assert.equal((await device.findNotes('on the device only')).length, 1, version);
      assert.equal((await device.findNotes('on the server')).length, 0, version);
      // Nothing is left of it: the next download takes.
      await device.connect(server.url);
      await device.download();
      assert.equal((await device.findNotes('on the server')).length, 1, version);
    }
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});
