import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { takeOutCollation } from './canonical-form.ts';
import { FormatError } from './format/format-error.ts';
import { makeSchema11Snapshot } from './legacy-snapshot.ts';
import { contentOf, integrityOf, openExclusive, SCHEMA_18_FIXTURES, TestFolder } from './test-files.ts';

test('an old client gets a whole schema 11 file in rollback mode, with the cards and times of the collection', async () => {
  for (const fixture of SCHEMA_18_FIXTURES) {
    using folder = new TestFolder();
    const source = folder.copyOf(fixture);
    const before = readFileSync(source);
    const content = await contentOf(source);
    const target = folder.file('snapshot.anki2');

    await makeSchema11Snapshot(source, target);

    assert.deepEqual(folder.names(), ['collection.anki2', 'snapshot.anki2']);
    assert.deepEqual(readFileSync(source), before);
    assert.deepEqual([...readFileSync(target).subarray(18, 20)], [1, 1], 'rollback mode');
    assert.equal(await integrityOf(target), 'ok');
    const snapshot = await contentOf(target);
    assert.deepEqual(Object.keys(snapshot).sort(), ['cards', 'col', 'graves', 'notes', 'revlog']);
    for (const table of ['cards', 'notes', 'revlog']) assert.deepEqual(snapshot[table], content[table]);
    assert.deepEqual(colOf(target), { ...colOf(source), ver: 11 });
  }
});

test('a collection that cannot be converted leaves no snapshot behind', async () => {
  using folder = new TestFolder();
  const source = folder.copyOf('rich.anki2');
  const db = openExclusive(source);
  db.exec("UPDATE decks SET kind = x'' WHERE id = 1");
  db.close();
  await assert.rejects(makeSchema11Snapshot(source, folder.file('snapshot.anki2')), FormatError);
  assert.deepEqual(folder.names(), ['collection.anki2']);
});

test('a collection in working form can be sent too', async () => {
  using folder = new TestFolder();
  const source = folder.copyOf('non-ascii-names.anki2');
  const db = openExclusive(source);
  db.exec('BEGIN');
  takeOutCollation(db);
  db.exec('REINDEX; COMMIT');
  db.close();
  await makeSchema11Snapshot(source, folder.file('snapshot.anki2'));
  assert.equal(await integrityOf(folder.file('snapshot.anki2')), 'ok');
});

function colOf(file: string): Record<string, unknown> {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return { ...db.prepare('SELECT id, crt, mod, scm, ver, dty, usn, ls FROM col').get() };
  } finally {
    db.close();
  }
}
