import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { readFacts } from '../collection/stored-file.ts';
import { COLLECTIONS, contentOf, integrityOf, openExclusive, TestFolder } from '../collection/test-files.ts';
import { silentLog } from '../log.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { backupsFolder, listBackups } from './backup-folder.ts';
import { dropIfLive, replaceKeeping } from './keep-replaced.ts';

const nowMs = Date.UTC(2026, 10, 23, 14, 30, 55, 123);

/** A user with a stored collection, and a finished upload. */
class Account implements Disposable {
  readonly #temp = new TestFolder();
  readonly folder: UserFolder = userFolder(this.#temp.path, 'ann');
  readonly finished: string;

  constructor(stored: string | undefined) {
    mkdirSync(this.folder.incoming, { recursive: true });
    if (stored !== undefined) this.#copy(stored, this.folder.collection);
    this.finished = path.join(this.folder.incoming, 'upload.anki2');
    this.#copy('non-ascii-names.anki2', this.finished);
  }

  #copy(fixture: string, target: string): void {
    copyFileSync(path.join(COLLECTIONS, fixture), target);
    chmodSync(target, 0o600);
  }

  replace() {
    const { folder, finished } = this;
    return replaceKeeping({ folder, finished, reason: 'replaced', nowMs, log: silentLog });
  }

  names(): string[] {
    return existsSync(backupsFolder(this.folder)) ? readdirSync(backupsFolder(this.folder)).sort() : [];
  }

  [Symbol.dispose](): void {
    this.#temp[Symbol.dispose]();
  }
}

test('what an upload replaces is kept byte for byte, named by time and reason', () => {
  using account = new Account('rich.anki2');
  const [old, uploaded] = [readFileSync(account.folder.collection), readFileSync(account.finished)];
  const kept = account.replace();
  assert.equal(kept?.id, '2026-11-23T143055.123Z.replaced');
  assert.equal(kept?.facts?.notes, 39);
  assert.deepEqual(account.names(), [`${kept?.id}.pending.anki2`]);
  assert.deepEqual(readFileSync(listBackups(account.folder)[0]?.path ?? ''), old);
  assert.deepEqual(readFileSync(account.folder.collection), uploaded);
});

test('two uploads within a millisecond are two backups', () => {
  using account = new Account('rich.anki2');
  const again = path.join(account.folder.incoming, 'again.anki2');
  copyFileSync(account.finished, again);
  account.replace();
  replaceKeeping({ folder: account.folder, finished: again, reason: 'replaced', nowMs, log: silentLog });
  assert.equal(listBackups(account.folder).length, 2);
});

test('there is nothing to keep of a collection that is not there, or that is empty', () => {
  for (const stored of [undefined, 'fresh-server.anki2']) {
    using account = new Account(stored);
    assert.equal(account.replace(), undefined);
    assert.deepEqual(account.names(), []);
    assert.equal(readFacts(account.folder.collection).notes, 25);
  }
});

test('commits that a killed server left beside the collection are in the backup, and never in the upload', async () => {
  using account = new Account('rich.anki2');
  const { collection } = account.folder;
  const killed = openExclusive(collection);
  killed.exec('PRAGMA journal_mode=WAL; UPDATE cards SET reps = 77; INSERT INTO graves VALUES (1, 2, 3)');
  const copies = ['', '-wal'].map((suffix) => [suffix, readFileSync(collection + suffix)] as const);
  killed.close();
  for (const [suffix, bytes] of copies) writeFileSync(collection + suffix, bytes);
  const uploaded = await contentOf(account.finished);
  account.replace();
  assert.deepEqual(await contentOf(collection), uploaded);
  assert.equal(await integrityOf(collection), 'ok');
  using backup = new DatabaseSync(listBackups(account.folder)[0]?.path ?? '');
  assert.equal(backup.prepare('SELECT min(reps) AS reps FROM cards').get()?.reps, 77);
});

test('a damaged collection is set aside with all that lies beside it, and the upload takes its place', () => {
  for (const damage of [
    (bytes: Buffer) => bytes.fill(0x55, 0, 100),
    (bytes: Buffer) => bytes.subarray(0, 0),
    (bytes: Buffer) => bytes.fill(0xff, 4096, 40_000),
  ]) {
    using account = new Account('rich.anki2');
    const { collection } = account.folder;
    const bytes = damage(readFileSync(collection));
    writeFileSync(collection, bytes);
    writeFileSync(`${collection}-wal`, 'what is left of a log');
    const kept = account.replace();
    assert.equal(kept?.facts, undefined);
    const [file, log] = account.names();
    assert.equal(file, `${kept?.id}.anki2`);
    // Where SQLite could read the file at all, it has thrown away a log that is none.
    assert.ok(log === undefined ? bytes.length > 0 : log === `${file}-wal`);
    assert.deepEqual(readFileSync(path.join(backupsFolder(account.folder), `${kept?.id}.anki2`)), bytes);
    assert.ok(!existsSync(`${collection}-wal`), 'nothing of the old one is mixed into the new one');
    assert.equal(readFacts(collection).notes, 25);
  }
});

test('a collection that cannot be kept is not replaced', () => {
  using account = new Account('rich.anki2');
  writeFileSync(backupsFolder(account.folder), 'a file in the place of the folder');
  const old = readFileSync(account.folder.collection);
  assert.throws(() => account.replace(), {
    code: 'serverFault',
    message: /the backup of the old collection could not be written/,
  });
  assert.deepEqual(readFileSync(account.folder.collection), old);
});

test('when the upload cannot take its place, no backup remains that is the live collection itself', () => {
  using account = new Account('rich.anki2');
  rmSync(account.finished);
  assert.throws(() => account.replace(), { code: 'ENOENT' });
  assert.deepEqual(account.names(), []);
  assert.equal(statSync(account.folder.collection).nlink, 1);
});

test('a pending backup goes if and only if it is the live collection', () => {
  using account = new Account('rich.anki2');
  const kept = account.replace();
  const pending = path.join(backupsFolder(account.folder), `${kept?.id}.pending.anki2`);
  assert.equal(dropIfLive(account.folder, pending), false);
  assert.ok(existsSync(pending));
});
