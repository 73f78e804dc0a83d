import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { MiB } from '../limits.ts';
import { silentLog } from '../log.ts';
import { userFolder } from '../user-folder.ts';
import { UserCollection } from './user-collection.ts';

const fixture = path.join(import.meta.dirname, '../../test/fixtures/collections/fresh-empty.anki2');
const valueBytes = 6 * MiB;

/** A collection that is never idle for long enough to be closed. */
function busyCollection() {
  const base = mkdtempSync(path.join(tmpdir(), 'long-log-'));
  const folder = userFolder(base, 'ann');
  mkdirSync(folder.root);
  copyFileSync(fixture, folder.collection);
  const collection = new UserCollection(folder, silentLog);
  let syncs = 0;
  return {
    collection,
    /** A sync that writes some megabytes in place of those of the sync before. */
    sync() {
      syncs += 1;
      const options = { sessionKey: `key${syncs}`, clientVersion: 'test', clientUsn: 0, clientIsNewer: true };
      const work = collection.begin(options, Date.now());
      const put = 'INSERT OR REPLACE INTO config (KEY, usn, mtime_secs, val) VALUES (?, 0, ?, randomblob(?))';
      work.plainSql.run(put, 'large', syncs, valueBytes);
      collection.finish(work, Date.now());
    },
    lastSync: () =>
      collection
        .begin({ sessionKey: 'look', clientVersion: 'test', clientUsn: 0, clientIsNewer: true }, 0)
        .plainSql.get("SELECT mtime_secs, length(val) FROM config WHERE KEY = 'large'"),
    logBytes: () => statSync(`${folder.collection}-wal`).size,
    fileBytes: () => statSync(folder.collection).size,
    hasLog: () => existsSync(`${folder.collection}-wal`),
    [Symbol.dispose]() {
      collection[Symbol.dispose]();
      rmSync(base, { recursive: true });
    },
  };
}

test('the log beside a collection stays short, however often it is synced without a pause', () => {
  using busy = busyCollection();
  for (let syncs = 0; syncs < 12; syncs++) {
    busy.sync();
    assert.ok(busy.logBytes() < 16 * MiB + 2 * valueBytes, `${busy.logBytes()} bytes after ${syncs + 1} syncs`);
  }
  assert.deepEqual(busy.lastSync(), [12, valueBytes]);
  busy.collection.close();
  assert.equal(busy.hasLog(), false);
});

test('while a download reads the file, it stands still for as many syncs as there are', () => {
  using busy = busyCollection();
  busy.sync();
  const { byteLength } = busy.collection.beginDownload('key', Date.now());
  for (let syncs = 0; syncs < 6; syncs++) busy.sync();
  assert.equal(busy.fileBytes(), byteLength);
  assert.ok(busy.logBytes() > 6 * valueBytes);
  busy.collection.downloadEnded();
  busy.sync();
  assert.ok(busy.logBytes() < 2 * valueBytes);
});
