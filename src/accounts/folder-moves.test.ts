import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { emptyGravesAtStart, moveFolder, settleMoves } from './folder-moves.ts';
import { AccountStore, type FolderMove } from './store/account-store.ts';

const root = mkdtempSync(path.join(tmpdir(), 'anki-moves-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** A data folder with a stored user who has one file. */
function setUp(): { base: string; store: AccountStore } {
  const base = mkdtempSync(path.join(root, 'base-'));
  const store = AccountStore.open(base);
  store.addUser({ name: 'ann', passwordHash: '$hash', isEnabled: true, createdMs: 1 });
  mkdirSync(path.join(base, 'ann'));
  writeFileSync(path.join(base, 'ann/collection.anki2'), 'of ann');
  return { base, store };
}

/** Who there is, and what they have. */
function seen({ base, store }: { base: string; store: AccountStore }): Record<string, string> {
  const read = (name: string) => {
    const file = path.join(base, name, 'collection.anki2');
    return existsSync(file) ? readFileSync(file, 'utf8') : 'nothing';
  };
  return Object.fromEntries(store.users().map(({ name }) => [name, read(name)]));
}

const rename: FolderMove = { user: 'ann', target: 'anna' };
const removal: FolderMove = { user: 'ann', target: null };

test('a rename moves the user and the folder', () => {
  const all = setUp();
  moveFolder(all.base, all.store, rename);
  assert.deepEqual(seen(all), { anna: 'of ann' });
  assert.ok(!existsSync(path.join(all.base, 'ann')));
  all.store.close();
});

test('a removal takes the user and the data away, also when emptying comes later', () => {
  const all = setUp();
  moveFolder(all.base, all.store, removal);
  assert.deepEqual(seen(all), {});
  assert.ok(!existsSync(path.join(all.base, 'ann')));
  emptyGravesAtStart(all.base);
  assert.ok(!existsSync(path.join(all.base, '.server/removed-')));
  all.store.close();
});

for (const move of [rename, removal]) {
  const what = move.target === null ? 'removal' : 'rename';
  test(`a ${what} that was cut off before the folder moved has not happened`, () => {
    const all = setUp();
    all.store.beginMove(move);
    settleMoves(all.base, all.store);
    assert.deepEqual(seen(all), { ann: 'of ann' });
    assert.deepEqual(all.store.moves(), []);
    all.store.close();
  });

  test(`a ${what} that was cut off after the folder moved has happened`, () => {
    const all = setUp();
    all.store.beginMove(move);
    renameSync(path.join(all.base, 'ann'), path.join(all.base, move.target ?? 'grave'));
    settleMoves(all.base, all.store);
    assert.deepEqual(seen(all), move.target === null ? {} : { anna: 'of ann' });
    assert.deepEqual(all.store.moves(), []);
    all.store.close();
  });

  test(`a ${what} whose folder cannot be moved changes nothing`, () => {
    const all = setUp();
    const inTheWay = path.join(all.base, move.target ?? '.server');
    // A file where a folder must be, or a folder that is not empty.
    if (move.target === null) writeFileSync(inTheWay, 'x');
    else {
      mkdirSync(inTheWay);
      writeFileSync(path.join(inTheWay, 'x'), 'x');
    }
    assert.throws(() => moveFolder(all.base, all.store, move));
    assert.deepEqual(seen(all), { ann: 'of ann' });
    assert.deepEqual(all.store.moves(), []);
    all.store.close();
  });
}

test('a move that cannot be noted at the end is undone', () => {
  const all = setUp();
  const failing = new Proxy(all.store, {
    get: (store, name) => {
      if (name === 'finishMove') return () => assert.fail('the disk is full');
      const value: unknown = Reflect.get(store, name);
      return typeof value === 'function' ? value.bind(store) : value;
    },
  });
  assert.throws(() => moveFolder(all.base, failing, rename), /the disk is full/);
  assert.deepEqual(seen(all), { ann: 'of ann' });
  assert.deepEqual(all.store.moves(), []);
  all.store.close();
});

test('a user without a folder can be renamed and removed', () => {
  const all = setUp();
  rmSync(path.join(all.base, 'ann'), { recursive: true });
  moveFolder(all.base, all.store, rename);
  assert.deepEqual(seen(all), { anna: 'nothing' });
  moveFolder(all.base, all.store, { user: 'anna', target: null });
  assert.deepEqual(seen(all), {});
  all.store.close();
});
