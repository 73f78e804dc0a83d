import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fastFolder } from '../../test/safety/fast-folder.ts';
import { keepingPolicy } from '../backup/testing/keeping-policy.ts';
import { takeInWal } from '../collection/stored-file.ts';
import { COLLECTIONS } from '../collection/test-files.ts';
import { silentLog } from '../log.ts';
import { userFolder } from '../user-folder.ts';
import { Lanes } from './lanes.ts';

const notesOf = (file: string): unknown => {
  using db = new DatabaseSync(file, { readOnly: true });
  return db.prepare('SELECT count() AS notes FROM notes').get()?.['notes'];
};

test('an upload does not wait for a copy that is being made: the copy begins anew, of what was uploaded', async () => {
  const base = fastFolder('copying-');
  const folder = userFolder(base, 'ann');
  mkdirSync(folder.incoming, { recursive: true });
  copyFileSync(path.join(COLLECTIONS, 'rich.anki2'), folder.collection);
  {
    using db = new DatabaseSync(folder.collection);
    db.exec('CREATE TABLE of_an_addon (x); INSERT INTO of_an_addon VALUES (zeroblob(300000000))');
  }
  takeInWal(folder.collection);
  const uploaded = path.join(folder.incoming, 'upload.anki2');
  copyFileSync(path.join(COLLECTIONS, 'non-ascii-names.anki2'), uploaded);
  const expected = notesOf(uploaded);
  assert.notEqual(notesOf(folder.collection), expected);
  const lanes = new Lanes({ inflatedBytesMax: 1e9, base, policy: keepingPolicy, log: silentLog });
  try {
    const target = path.join(folder.incoming, 'copy.anki2');
    const copying = lanes.copyCollection(folder, target);
    while (!existsSync(target)) await sleep(1);
    const begunMs = performance.now();
    await lanes.inCollectionLane(folder, async () => {
      await lanes.closeInLane(folder);
      renameSync(uploaded, folder.collection);
    });
    const tookMs = performance.now() - begunMs;
    await copying;
    assert.equal(notesOf(target), expected);
    assert.ok(tookMs < 3_000, `the upload waited for ${Math.round(tookMs)} ms`);
  } finally {
    await lanes.close();
    rmSync(base, { recursive: true, force: true });
  }
});
