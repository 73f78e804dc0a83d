import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { claimDataFolder, type DataFolder, makeUserFolder, problemsOfDataFolder } from './data-folder.ts';

const root = mkdtempSync(path.join(tmpdir(), 'anki-data-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

function newBase(): string {
  return path.join(root, `base${++folders}`, 'data');
}

const users = [
  { variable: 'SYNC_USER1', name: 'ann' },
  { variable: 'SYNC_USER7', name: 'bob' },
];

function claimed(base: string): DataFolder {
  const claim = claimDataFolder(base, users);
  assert.ok(claim.kind === 'claimed', claim.kind === 'problems' ? claim.problems.join() : '');
  return claim.folder;
}

/** The one problem; and that nothing was touched. */
function refused(base: string, names = users): string {
  const before = existsSync(base) ? readdirSync(base, { recursive: true }) : undefined;
  const claim = claimDataFolder(base, names);
  assert.ok(claim.kind === 'problems');
  assert.deepEqual(existsSync(base) ? readdirSync(base, { recursive: true }) : undefined, before);
  assert.equal(claim.problems.length, 1);
  assert.doesNotMatch(claim.problems[0] ?? '', /\n/);
  return claim.problems[0] ?? '';
}

test('a new data folder gets a folder for each user, with one for media in it', () => {
  const base = newBase();
  using _ = claimed(base).lock;
  assert.deepEqual(readdirSync(base).sort(), ['.server', 'ann', 'bob']);
  assert.deepEqual(readdirSync(path.join(base, 'ann')), ['media']);
});

test('what users have is kept, what was on its way when the last process ended is not', () => {
  const base = newBase();
  claimed(base).lock.release();
  const kept = path.join(base, 'ann', 'media', 'a.jpg');
  writeFileSync(kept, 'x');
  mkdirSync(path.join(base, 'ann', 'incoming'));
  writeFileSync(path.join(base, 'ann', 'incoming', 'upload'), 'x');
  const { spool, lock } = claimed(base);
  writeFileSync(path.join(spool, 'y'), 'x');
  lock.release();
  const again = claimed(base);
  assert.deepEqual(readdirSync(again.spool), []);
  assert.ok(existsSync(kept));
  assert.ok(!existsSync(path.join(base, 'ann', 'incoming')));
  again.lock.release();
});

test('a folder that another server uses is refused, and free when that one has stopped', () => {
  const base = newBase();
  const { lock } = claimed(base);
  assert.match(refused(base), /^SYNC_BASE: another server is using .*Stop that one/);
  lock.release();
  claimed(base).lock.release();
});

test("Anki's own folders are refused", () => {
  for (const trace of ['prefs21.db', 'addons21', 'collection.anki2']) {
    const base = newBase();
    mkdirSync(base, { recursive: true });
    writeFileSync(path.join(base, trace), '');
    assert.match(refused(base), /^SYNC_BASE: .*looks like Anki's own folder/);
  }
  const base = newBase();
  mkdirSync(path.join(base, 'ann', 'collection.media'), { recursive: true });
  assert.match(refused(base), /^SYNC_BASE: .*looks like a profile of Anki/);
});

test('what is no folder is refused, with the variable that is wrong', () => {
  const base = newBase();
  mkdirSync(path.dirname(base), { recursive: true });
  writeFileSync(base, '');
  assert.match(refused(base.concat('/deeper')), /^SYNC_BASE: .*is not a folder/);
  const other = newBase();
  mkdirSync(other, { recursive: true });
  writeFileSync(path.join(other, 'bob'), '');
  assert.match(refused(other), /^SYNC_USER7: .*is not a folder/);
});

test('a folder that nobody can make is refused', { skip: process.platform !== 'linux' }, () => {
  assert.match(refused('/proc/anki'), /^SYNC_BASE: /);
});

test('names that differ by letter case are two users on disks that tell them apart', () => {
  const base = newBase();
  const ignoresCase = existsSync(root.toUpperCase());
  const names = [
    { variable: 'SYNC_USER1', name: 'ann' },
    { variable: 'SYNC_USER2', name: 'Ann' },
  ];
  assert.equal(problemsOfDataFolder(base, names).length, ignoresCase ? 1 : 0);
});

test('what root makes belongs to the owner of the data folder', () => {
  const base = newBase();
  mkdirSync(base, { recursive: true });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(base, 12_345, 12_346);
  const { lock, store } = claimed(base);
  store.addUser({ name: 'eve', passwordHash: '$hash', isEnabled: true, createdMs: 1 });
  makeUserFolder(base, 'eve');
  store.close();
  lock.release();
  const expected = isRoot ? [12_345, 12_346] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  for (const name of readdirSync(base, { recursive: true, encoding: 'utf8' })) {
    const { uid, gid } = statSync(path.join(base, name));
    assert.deepEqual([uid, gid], expected, name);
  }
});

test('a thousand users start in a moment', () => {
  const many = Array.from({ length: 1000 }, (_, at) => ({ variable: `SYNC_USER${at}`, name: `user ${at}` }));
  const base = newBase();
  const startedMs = performance.now();
  const claim = claimDataFolder(base, many);
  assert.ok(claim.kind === 'claimed');
  claim.folder.lock.release();
  assert.ok(performance.now() - startedMs < 3000);
});
