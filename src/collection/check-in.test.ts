import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { formOf, takeOutCollation, toWorkingForm } from './canonical-form.ts';
import { checkIn } from './check-in.ts';
import { contentOf, declarationsOf, integrityOf, openExclusive, SCHEMA_18_FIXTURES, TestFolder } from './test-files.ts';

const NAMES = 'non-ascii-names.anki2';

/** What a sync does that writes names; the connection is left open. */
function writeNames(file: string): DatabaseSync {
  const db = openExclusive(file);
  db.exec('BEGIN IMMEDIATE');
  takeOutCollation(db);
  toWorkingForm(db);
  db.exec(
    "INSERT INTO tags VALUES ('Ωmega', 1, 0, NULL), ('ﬃx', 1, 0, NULL), ('\uFEFFmarked', 1, 0, NULL), ('_', 1, 0, NULL)",
  );
  db.exec("UPDATE decks SET name = 'ßtraße' WHERE id = 1; UPDATE cards SET usn = 9");
  db.exec('COMMIT');
  return db;
}

function formAt(file: string): string {
  const db = openExclusive(file);
  try {
    return formOf(db);
  } finally {
    db.close();
  }
}

test('where no collection is, check in makes none', async () => {
  using folder = new TestFolder();
  const file = folder.file('collection.anki2');
  await checkIn(file);
  assert.deepEqual(folder.names(), []);
  fs.writeFileSync(file, '');
  await checkIn(file);
  assert.equal(fs.statSync(file).size, 0);
});

test('after check in a collection of any release is as Anki would have written it', async () => {
  for (const fixture of SCHEMA_18_FIXTURES) {
    using folder = new TestFolder();
    const file = folder.copyOf(fixture);
    const declarations = declarationsOf(file);
    writeNames(file).close();
    assert.equal(formAt(file), 'working');
    const content = await contentOf(file);

    await checkIn(file);

    assert.deepEqual(folder.names(), ['collection.anki2']);
    assert.deepEqual([...fs.readFileSync(file).subarray(18, 20)], [2, 2], 'WAL mode');
    assert.equal(formAt(file), 'canonical');
    assert.deepEqual(declarationsOf(file), declarations);
    assert.deepEqual(await contentOf(file), content);
    assert.equal(await integrityOf(file), 'ok');
  }
});

test('a canonical collection is left alone, byte for byte', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf(NAMES);
  const before = fs.readFileSync(file);
  await checkIn(file);
  assert.deepEqual(fs.readFileSync(file), before);
  assert.deepEqual(folder.names(), ['collection.anki2']);
});

test('a collection in rollback mode ends in WAL mode', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf(NAMES);
  const db = writeNames(file);
  db.exec('PRAGMA journal_mode=DELETE');
  db.close();
  await checkIn(file);
  assert.deepEqual([...fs.readFileSync(file).subarray(18, 20)], [2, 2]);
  assert.equal(await integrityOf(file), 'ok');
});

test('what a killed server had committed but not yet moved into the main file is not lost', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf(NAMES);
  const db = writeNames(file);
  const copies = ['crashed.anki2', 'crashed.anki2-wal'].map((name) => folder.file(name));
  for (const [at, suffix] of ['', '-wal'].entries()) fs.copyFileSync(file + suffix, copies[at] ?? '');
  db.close();
  await checkIn(folder.file('crashed.anki2'));
  await checkIn(file);
  assert.deepEqual(await contentOf(folder.file('crashed.anki2')), await contentOf(file));
  assert.equal(await integrityOf(folder.file('crashed.anki2')), 'ok');
  assert.deepEqual(folder.names(), ['collection.anki2', 'crashed.anki2']);
});

test('names that are the same to the collation are refused, and nothing changes', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf(NAMES);
  const db = writeNames(file);
  db.exec("INSERT INTO tags VALUES ('ΩMEGA', 1, 0, NULL)");
  db.close();
  const content = await contentOf(file);
  await assert.rejects(checkIn(file), /UNIQUE constraint failed/);
  assert.equal(formAt(file), 'working');
  assert.deepEqual(await contentOf(file), content);
});

test('a file that another connection holds is not touched', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf(NAMES);
  const db = writeNames(file);
  await assert.rejects(checkIn(file), /locked/);
  db.close();
});

test('only the small tables are written, however large the collection', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf(NAMES);
  const db = writeNames(file);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
    INSERT INTO revlog SELECT i, i, 0, 3, 1, 1, 2500, 1000, 1 FROM n`);
  db.close();
  const before = fs.readFileSync(file);
  await checkIn(file);
  const after = fs.readFileSync(file);
  const pageBytes = 4096;
  let changed = Math.abs(after.length - before.length) / pageBytes;
  for (let at = 0; at < before.length; at += pageBytes) {
    if (!before.subarray(at, at + pageBytes).equals(after.subarray(at, at + pageBytes))) changed++;
  }
  assert.ok(before.length / pageBytes > 500);
  assert.ok(changed < 40, `${changed} pages changed`);
});

test('power may fail at any step of a check in: the next open finds one form or the other, whole', async () => {
  for (const journalMode of ['WAL', 'DELETE']) {
    using folder = new TestFolder();
    const file = folder.copyOf(NAMES);
    const db = writeNames(file);
    db.exec(`PRAGMA journal_mode=${journalMode}`);
    db.close();
    const content = await contentOf(file);
    const initial = fs.readFileSync(file);
    const steps = await recordSteps(folder.path, () => checkIn(file));
    assert.ok(steps.some(({ kind }) => kind === 'sync') && steps.some(({ kind }) => kind === 'delete'));

    const forms = new Set<string>();
    for (let stop = 0; stop <= steps.length; stop++) {
      for (const survives of [everything, onlySynced, halfOfUnsynced]) {
        using crashed = new TestFolder();
        const copy = crashed.file('collection.anki2');
        layDown(crashed.path, { 'collection.anki2': initial }, steps.slice(0, stop), survives);
        forms.add(formAt(copy));
        await checkIn(copy);
        const situation = `${journalMode}, ${survives.name}, step ${stop}`;
        assert.equal(formAt(copy), 'canonical', situation);
        assert.equal(await integrityOf(copy), 'ok', situation);
        assert.deepEqual(await contentOf(copy), content, situation);
        assert.deepEqual(crashed.names(), ['collection.anki2'], situation);
      }
    }
    assert.deepEqual([...forms].sort(), ['canonical', 'working']);
  }
});

/** Stands for the folder itself, whose sync makes new and deleted names durable. */
const FOLDER = '.';

type Step =
  | { readonly kind: 'create' | 'sync' | 'delete'; readonly name: string }
  | { readonly kind: 'truncate'; readonly name: string; readonly size: number }
  | { readonly kind: 'write'; readonly name: string; readonly at: number; readonly bytes: Buffer };

/** Notes everything that `body` does to files in `folder`, in order. */
async function recordSteps(folder: string, body: () => Promise<void>): Promise<Step[]> {
  const steps: Step[] = [];
  const names = new Map<number, string>();
  const { openSync, writeSync, ftruncateSync, fdatasyncSync, fsyncSync, rmSync } = fs;
  const original = { openSync, writeSync, ftruncateSync, fdatasyncSync, fsyncSync, rmSync };
  const isOurs = (name: unknown): name is string => typeof name === 'string' && path.dirname(name) === folder;
  const nameOf = (fd: number): string => names.get(fd) ?? '';
  Object.assign(fs, {
    openSync: (name: string, flags: string, mode?: number) => {
      const created = isOurs(name) && !fs.existsSync(name);
      const fd = original.openSync(name, flags, mode);
      names.set(fd, isOurs(name) ? path.basename(name) : '');
      if (name === folder) names.set(fd, FOLDER);
      if (created) steps.push({ kind: 'create', name: path.basename(name) });
      return fd;
    },
    writeSync: (fd: number, bytes: Uint8Array, offset: number, length: number, at: number) => {
      steps.push({ kind: 'write', name: nameOf(fd), at, bytes: Buffer.from(bytes.subarray(offset, offset + length)) });
      return original.writeSync(fd, bytes, offset, length, at);
    },
    ftruncateSync: (fd: number, size: number) => {
      steps.push({ kind: 'truncate', name: nameOf(fd), size });
      original.ftruncateSync(fd, size);
    },
    fdatasyncSync: (fd: number) => {
      steps.push({ kind: 'sync', name: nameOf(fd) });
      original.fdatasyncSync(fd);
    },
    fsyncSync: (fd: number) => {
      steps.push({ kind: 'sync', name: nameOf(fd) });
      original.fsyncSync(fd);
    },
    rmSync: (name: string, options: fs.RmOptions) => {
      if (isOurs(name)) steps.push({ kind: 'delete', name: path.basename(name) });
      original.rmSync(name, options);
    },
  });
  syncBuiltinESMExports();
  try {
    await body();
  } finally {
    Object.assign(fs, original);
    syncBuiltinESMExports();
  }
  return steps;
}

/** Does this step reach the disk, when the file is synced later or not at all before the power fails? */
type Survival = (synced: boolean, at: number) => boolean;
const everything: Survival = () => true;
const onlySynced: Survival = (synced) => synced;
const halfOfUnsynced: Survival = (synced, at) => synced || (at * 7919) % 13 < 6;

/** What a disk holds after `steps`. */
function layDown(folder: string, files: Record<string, Buffer>, steps: readonly Step[], survives: Survival): void {
  const disk = new Map(Object.entries(files));
  for (const [at, step] of steps.entries()) {
    const durableBy = step.kind === 'create' || step.kind === 'delete' ? FOLDER : step.name;
    const synced = steps.slice(at).some((later) => later.kind === 'sync' && later.name === durableBy);
    if (!survives(synced, at)) continue;
    const old = disk.get(step.name) ?? Buffer.alloc(0);
    switch (step.kind) {
      case 'write': {
        const grown = Buffer.alloc(Math.max(old.length, step.at + step.bytes.length));
        old.copy(grown);
        step.bytes.copy(grown, step.at);
        disk.set(step.name, grown);
        break;
      }
      case 'truncate':
        disk.set(step.name, old.subarray(0, step.size));
        break;
      case 'create':
        disk.set(step.name, Buffer.alloc(0));
        break;
      case 'delete':
        disk.delete(step.name);
        break;
      default:
        break;
    }
  }
  for (const [name, bytes] of disk) fs.writeFileSync(path.join(folder, name), bytes);
}
