import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { RawClient } from '../../support/raw-client.ts';

const COLLECTION = path.join(import.meta.dirname, '../../fixtures/collections/rich.anki2');

/**
 * Everything that needs all parts of a package, as one device: a login, a full upload (a heavy thread), a sync that
 * writes a name (a collection thread, then WebAssembly), and a full download that contains it.
 */
export async function exchangeEverything(url: string, user: string, password: string): Promise<void> {
  const key = await new RawClient(url, '').login(user, password);
  const device = new RawClient(url, key);
  assert.equal(await device.upload(readFileSync(COLLECTION)), 'OK');
  const counts = await syncTag(device, 'from-a-package', undefined);
  await syncTag(device, 'from-a-package', counts);
  assert.ok((await device.download()).includes('from-a-package'), 'the downloaded collection has the new tag');
}

/** A sync that adds a tag. Without counts to claim it ends in a failed check, and the counts of the server come back. */
async function syncTag(device: RawClient, tag: string, counts: unknown): Promise<unknown> {
  const { usn } = await device.meta();
  await device.start(usn);
  await device.applyGraves();
  await device.applyChanges({ tags: [tag] });
  let isDone = false;
  while (!isDone) isDone = (await device.chunk()).done;
  await device.applyChunk();
  const check = await device.sanityCheck(counts ?? [[0, 0, 0], 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(check.status, counts === undefined ? 'bad' : 'ok', JSON.stringify(check));
  if (counts !== undefined) await device.finish();
  return check.s;
}
