import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { listeningLog } from '../../test/support/media.ts';
import { readFacts } from '../collection/stored-file.ts';
import { COLLECTIONS, TestFolder } from '../collection/test-files.ts';
import { PreparationNeeded, UserCollection } from '../collection/user-collection.ts';
import { silentLog } from '../log.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { backupsFolder, listBackups } from './backup-folder.ts';
import { noticeMissingCollection, rescueStray } from './missing-collection.ts';

const nowMs = Date.UTC(2026, 10, 23, 14, 30, 55, 123);

function emptyAccount(temp: TestFolder): UserFolder {
  const folder = userFolder(temp.path, 'ann');
  mkdirSync(folder.incoming, { recursive: true });
  mkdirSync(backupsFolder(folder), { recursive: true });
  return folder;
}

test('a new user is no news; a missing collection of which there are backups is, with the command that brings one back', () => {
  using temp = new TestFolder();
  const folder = emptyAccount(temp);
  const { log, lines } = listeningLog();
  noticeMissingCollection(folder, nowMs, log);
  assert.deepEqual(lines, []);
  for (const name of ['2026-11-20T101010.000Z.daily.colpkg', '2026-11-21T101010.000Z.damaged.anki2']) {
    writeFileSync(path.join(backupsFolder(folder), name), 'x');
  }
  noticeMissingCollection(folder, nowMs, log);
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields['path'], fields['undo']]),
    [['warn', folder.collection, 'anki-sync-server restore ann 2026-11-20T101010.000Z.daily']],
  );
});

test('a missing collection without backups is told when there are media', () => {
  using temp = new TestFolder();
  const folder = emptyAccount(temp);
  mkdirSync(folder.media);
  writeFileSync(path.join(folder.media, 'a.jpg'), 'a');
  const { log, lines } = listeningLog();
  noticeMissingCollection(folder, nowMs, log);
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields['path']]),
    [['warn', folder.collection]],
  );
});

test('the log of a collection that is missing is kept, and not mixed into the next one', () => {
  using temp = new TestFolder();
  const folder = emptyAccount(temp);
  writeFileSync(`${folder.collection}-wal`, 'commits');
  const { log, lines } = listeningLog();
  noticeMissingCollection(folder, nowMs, log);
  assert.ok(!existsSync(`${folder.collection}-wal`));
  const aside = path.join(backupsFolder(folder), '2026-11-23T143055.123Z.damaged.anki2');
  assert.equal(readFileSync(`${aside}-wal`, 'utf8'), 'commits');
  assert.equal(lines[0]?.fields['aside'], aside);
});

const takenAway: Readonly<Record<string, (file: string) => void>> = {
  removed: (file) => rmSync(file),
  'put elsewhere': (file) => renameSync(file, `${file}.old`),
  'replaced by another': (file) => {
    copyFileSync(path.join(COLLECTIONS, 'fresh-empty.anki2'), `${file}.new`);
    renameSync(`${file}.new`, file);
  },
};

for (const [what, take] of Object.entries(takenAway)) {
  test(`a collection that is ${what} while it is open becomes a backup, with all that was acknowledged`, async () => {
    using temp = new TestFolder();
    const folder = emptyAccount(temp);
    copyFileSync(path.join(COLLECTIONS, 'rich.anki2'), folder.collection);
    using collection = new UserCollection(folder, silentLog);
    const { notes } = collection.facts();
    collection.beginDownload('key', nowMs); // A commit that is not in the main file only.
    collection.downloadEnded();
    const { mtimeMs } = collection.summary();
    assert.equal(await rescueStray(collection, nowMs, silentLog), undefined, 'it is in its place');
    take(folder.collection);
    assert.throws(
      () => collection.summary(),
      (error) => error instanceof PreparationNeeded && error.preparation === 'rescue',
    );
    const { log, lines } = listeningLog();
    const id = await rescueStray(collection, nowMs, log);
    const [backup, ...others] = listBackups(folder);
    assert.deepEqual([backup?.id, backup?.form, others], [id, 'pending', []]);
    const facts = readFacts(backup?.path ?? '');
    assert.deepEqual([facts.notes, facts.modifiedMs], [notes, mtimeMs]);
    assert.match(String(lines[0]?.fields['undo']), new RegExp(`restore ann ${id}`));
    assert.deepEqual(readdirSync(folder.incoming), []);
    // What is there now counts.
    if (what === 'replaced by another') assert.equal(collection.facts().notes, 0);
    else assert.throws(() => collection.summary(), PreparationNeeded);
  });
}
