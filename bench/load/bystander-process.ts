import { setTimeout as sleep } from 'node:timers/promises';
import { type BystanderOrder, type BystanderReport, metaKind } from './bystander.ts';
import { SyncClient } from './sync-client.ts';
import { SyncDevice } from './sync-device.ts';

/** Asks the server again and again and notes how long each answer took, until it is told to stop. */
async function bystand({ port, hostKey, kind, facts, pauseMs }: BystanderOrder): Promise<void> {
  const client = await SyncClient.open(port, hostKey);
  const device = new SyncDevice(client, facts);
  const step = kind === metaKind ? () => client.meta() : () => device.sync();
  await step(); // Opens the files of the user.
  process.send?.('ready');
  let stopped = false;
  process.on('message', () => {
    stopped = true;
  });
  const delaysMs: number[] = [];
  while (!stopped) {
    const startedMs = performance.now();
    await step();
    // Whoever would have asked while this one waited would have waited too: without them one long wait hides among many.
    for (let delayMs = performance.now() - startedMs; delayMs > 0; delayMs -= pauseMs) delaysMs.push(delayMs);
    await sleep(pauseMs);
  }
  process.send?.({ delaysMs } satisfies BystanderReport);
  client.close();
  process.disconnect?.();
}

await bystand(JSON.parse(process.argv[2] ?? '') as BystanderOrder);
