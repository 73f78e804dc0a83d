import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { FolderLock, isHeldElsewhere } from './folder-lock.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'anki-lock-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Another process that runs `code`, prints a line, and lives until it is killed. */
async function otherProcess(code: string): Promise<ChildProcess> {
  const script = `${code}; console.log('ready'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

test('a lock keeps out others until it is released, and can be had again then', () => {
  const file = path.join(folder, 'one');
  const lock = FolderLock.acquire(file);
  assert.ok(lock);
  assert.equal(FolderLock.acquire(file), undefined);
  lock.release();
  lock.release();
  using again = FolderLock.acquire(file);
  assert.ok(again);
});

test('a lock keeps out other processes, and is free at once after kill -9', async () => {
  const file = path.join(folder, 'two');
  const module = path.join(import.meta.dirname, 'folder-lock.ts');
  const child = await otherProcess(
    `import { FolderLock } from ${JSON.stringify(module)}; globalThis.lock = FolderLock.acquire(${JSON.stringify(file)});`,
  );
  assert.equal(FolderLock.acquire(file), undefined);
  await killed(child);
  using lock = FolderLock.acquire(file);
  assert.ok(lock);
});

test('a folder that cannot be written is an error, not a lock of somebody else', () => {
  assert.throws(() => FolderLock.acquire(path.join(folder, 'missing', 'lock')));
});

test('a media index that the official server keeps open is noticed, a left-over one is not taken for it', async () => {
  const file = path.join(folder, 'media.db');
  const code = `import { DatabaseSync } from 'node:sqlite'; const db = new DatabaseSync(${JSON.stringify(file)});
    db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; CREATE TABLE media(name); INSERT INTO media VALUES(1)'); globalThis.db = db`;
  assert.equal(isHeldElsewhere(file), false);
  const child = await otherProcess(code);
  assert.equal(isHeldElsewhere(file), true);
  await killed(child);
  assert.equal(isHeldElsewhere(file), false);
  using db = new DatabaseSync(file);
  assert.deepEqual({ ...db.prepare('SELECT count(*) AS rows FROM media').get() }, { rows: 1 });
});

test('a file that is no database is not in use', () => {
  const file = path.join(folder, 'garbage');
  writeFileSync(file, 'x'.repeat(5000));
  writeFileSync(`${file}-wal`, 'y');
  assert.equal(isHeldElsewhere(file), false);
});
