import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { sessionIdleMsMax } from '../limits.ts';
import { silentLog } from '../log.ts';
import { userFolder } from '../user-folder.ts';
import type { SyncEnded } from './sync-ended.ts';
import { UserCollection } from './user-collection.ts';

const fixture = path.join(import.meta.dirname, '../../test/fixtures/collections/fresh-empty.anki2');
const nowMs = Date.now();
const sync = { sessionKey: 'key', clientVersion: 'short', clientUsn: 0, clientIsNewer: true };

/** Runs steps on a collection and returns what was told of syncs that ended. */
function endsOf(steps: (collection: UserCollection) => void): SyncEnded[] {
  const base = mkdtempSync(path.join(tmpdir(), 'sync-ended-'));
  try {
    const folder = userFolder(base, 'ann');
    mkdirSync(folder.root);
    copyFileSync(fixture, folder.collection);
    const ends: SyncEnded[] = [];
    using collection = new UserCollection(folder, silentLog, (ended) => ends.push(ended));
    steps(collection);
    return ends;
  } finally {
    rmSync(base, { recursive: true });
  }
}

test('a sync that is done lasts from meta to finish, and bears the name that was told in meta', () => {
  const [ended, ...others] = endsOf((collection) => {
    collection.rememberMeta('key', collection.summary(), { client: 'long', nowMs });
    const work = collection.begin(sync, nowMs + 100);
    collection.resume('key', nowMs + 900);
    collection.finish(work, nowMs + 1234);
  });
  assert.deepEqual(others, []);
  const { kind, user, sessionKey, client, ending, elapsedMs } = ended ?? {};
  assert.deepEqual(
    { kind, user, sessionKey, client, ending, elapsedMs },
    { kind: 'sync ended', user: 'ann', sessionKey: 'key', client: 'long', ending: 'done', elapsedMs: 1234 },
  );
});

test('a sync of which nothing is heard for too long ends at its last message', () => {
  const ends = endsOf((collection) => {
    collection.begin(sync, nowMs);
    collection.resume('key', nowMs + 500);
    collection.abandonForgotten(nowMs + 500 + sessionIdleMsMax);
    assert.equal(collection.hasSync, true);
    collection.abandonForgotten(nowMs + 501 + sessionIdleMsMax);
  });
  assert.deepEqual(
    ends.map(({ client, ending, why, elapsedMs }) => ({ client, ending, why, elapsedMs })),
    [{ client: 'short', ending: 'silent', why: 'nothing was heard of the device for 5 minutes', elapsedMs: 500 }],
  );
});

test('a sync ends once, however many reasons there are', () => {
  const ends = endsOf((collection) => {
    collection.begin(sync, nowMs);
    collection.abort({ sessionKey: 'key', clientVersion: 'short' }, nowMs);
    collection.abort({ sessionKey: 'key', clientVersion: 'short' }, nowMs);
    collection.close();
    collection.begin(sync, nowMs);
    collection.beginDownload('other', nowMs);
  });
  assert.deepEqual(
    ends.map(({ ending, why }) => [ending, why]),
    [
      ['aborted', 'it was cancelled on the device'],
      ['conflict', 'a full download began'],
    ],
  );
});
