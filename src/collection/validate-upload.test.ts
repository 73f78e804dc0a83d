import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { formOf, takeOutCollation, toWorkingForm } from './canonical-form.ts';
import { COLLECTIONS, contentOf, integrityOf, openExclusive, SCHEMA_18_FIXTURES, TestFolder } from './test-files.ts';
import { prepareUpload, type UploadVerdict } from './validate-upload.ts';
import { withUnicaseDatabase } from './wasm/unicase-database.ts';

/** What happens to an upload, and why we answer otherwise than the official server, if we do. */
interface Expected {
  readonly fate: 'kept as it came' | 'stored changed' | RegExp;
  readonly differs?: string;
  readonly dropped?: readonly string[];
}

const EXPECTED: Record<string, Expected> = {
  'plain-18': { fate: 'kept as it came' },
  'plain-11': { fate: 'stored changed' },
  garbage: { fate: /^not an SQLite file/ },
  cut: { fate: /malformed/ },
  'zero-page': { fate: /^integrity check: / },
  'no-col-table': { fate: /^no table col/, differs: 'it would empty the account' },
  'col-without-row': { fate: /^0 rows in table col/ },
  'ver-10': { fate: /^schema version 10/ },
  'ver-12': { fate: /^schema version 12/ },
  'ver-19': { fate: /^schema version 19/ },
  'broken-index': { fate: /^integrity check: .*ix_notes_usn/ },
  'tags-out-of-order': { fate: /^integrity check: .*tags/ },
  'models-no-json': { fate: /not JSON/ },
  'notetype-without-css': { fate: /css/ },
  'dconf-fraction': { fate: /maxTaken/ },
  'missing-table-11': { fate: /^no table graves/ },
  '11-named-14': { fate: /^no table config/ },
  '18-without-wal': { fate: 'kept as it came' },
  'page-size-8192': { fate: 'kept as it came' },
  'usn-minus-1': { fate: 'stored changed' },
  'broken-blob': { fate: /^The notetype \d+ is not a valid NotetypeConfig/, differs: 'it would fail later' },
  trigger: { fate: 'stored changed', dropped: ['trigger t', 'view v'] },
  'extra-table': { fate: 'kept as it came' },
  'duplicate-graves-11': { fate: 'stored changed' },
  'deck-name-11': { fate: 'stored changed' },
  'low-ease-11': { fate: 'stored changed' },
  'empty-18': { fate: 'kept as it came' },
};

const OFFICIAL: Record<string, { answer: string }> = JSON.parse(
  readFileSync(path.join(COLLECTIONS, 'uploads/answers.json'), 'utf8'),
);

test('every recorded upload has an expected fate', () => {
  assert.deepEqual(Object.keys(EXPECTED).sort(), Object.keys(OFFICIAL).sort());
  assert.equal(readdirSync(path.join(COLLECTIONS, 'uploads')).length, Object.keys(EXPECTED).length + 1);
});

for (const [name, { fate, differs, dropped = [] }] of Object.entries(EXPECTED)) {
  const as = differs === undefined ? 'as the official server answers' : `unlike the official server, as ${differs}`;
  test(`upload ${name}: ${fate instanceof RegExp ? 'refused' : fate}, ${as}`, async () => {
    using folder = new TestFolder();
    const file = folder.copyOf(`uploads/${name}.anki2.zst`);
    const before = readFileSync(file);

    const verdict = await prepareUpload(file);

    assert.deepEqual(folder.names(), ['collection.anki2']);
    assert.equal((OFFICIAL[name]?.answer === 'OK') === (verdict.kind === 'accepted'), differs === undefined);
    if (fate instanceof RegExp) {
      assert.match(reasonOf(verdict), fate);
      assert.deepEqual(readFileSync(file), before);
      return;
    }
    assert.ok(verdict.kind === 'accepted', reasonOf(verdict));
    assert.deepEqual([...verdict.dropped].sort(), dropped);
    assert.equal(readFileSync(file).equals(before), fate === 'kept as it came');
    await assertReady(file);
  });
}

test('collections of all releases are accepted, and told by their counts and time', async () => {
  for (const fixture of [...SCHEMA_18_FIXTURES, 'other-releases/2.1.40-schema16.anki2', 'schema11/rich.anki2']) {
    using folder = new TestFolder();
    const file = folder.copyOf(fixture);
    const [{ mtimeMs, ...counts }] = rowsOf(file, COUNTS) as [Record<string, number>];
    const verdict = await prepareUpload(file);
    assert.deepEqual(verdict, { kind: 'accepted', counts, mtimeMs, dropped: [] }, fixture);
    await assertReady(file);
  }
});

test('the times and usn of the collection and its cards stay as uploaded when an old schema is upgraded', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('schema11/rich.anki2');
  const before = [rowsOf(file, COL), rowsOf(file, CARDS)];
  await prepareUpload(file);
  assert.deepEqual([rowsOf(file, COL), rowsOf(file, CARDS)], before);
});

test('a deck that the upgrade renames reaches the other devices with their next sync', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('uploads/deck-name-11.anki2.zst');
  await prepareUpload(file);
  const { decks = [] } = await contentOf(file);
  const [col] = rowsOf(file, 'SELECT usn FROM col');
  const usns = decks.map((row) => row.split(' ').at(-3));
  assert.ok(usns.includes(String(col?.usn)), decks.join('\n'));
});

test('nothing waits to be sent in what is stored', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('rich-client-pending.anki2');
  const before = await contentOf(file);
  const verdict = await prepareUpload(file);
  assert.equal(verdict.kind, 'accepted', reasonOf(verdict));
  const after = await contentOf(file);
  assert.deepEqual(after.config, before.config);
  assert.equal(after.tags?.length, before.tags?.length);
  assert.notDeepEqual(after.notes, before.notes);
  await assertReady(file);
});

test("an add-on's tables and indexes stay, but for an index that could not be kept in order", async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('non-ascii-names.anki2');
  await withUnicaseDatabase(file, (db) => {
    db.exec(`CREATE TABLE addon (name text COLLATE unicase, note int);
      CREATE UNIQUE INDEX ix_addon_name ON addon (name);
      INSERT INTO addon VALUES ('b', 1), ('A', 2), ('Ä', 3), ('c', 4);
      CREATE INDEX ix_addon_guid ON notes (guid);
      CREATE INDEX ix_addon_tags ON notes (tags COLLATE unicase)`);
  });
  const verdict = await prepareUpload(file);
  assert.ok(verdict.kind === 'accepted', reasonOf(verdict));
  assert.deepEqual(verdict.dropped, ['index ix_addon_tags']);
  const kept = rowsOf(file, "SELECT name FROM sqlite_schema WHERE name LIKE '%addon%' ORDER BY name");
  assert.deepEqual(kept.map(Object.values), [['addon'], ['ix_addon_guid'], ['ix_addon_name']]);
  assert.equal((await contentOf(file)).addon?.length, 4);
  await assertReady(file);
});

test('a collection without the collation is accepted in canonical form, if its names are unique by it', async () => {
  for (const [tag, accepted] of [
    ['a new one', true],
    ['LEECH', false],
  ] as const) {
    using folder = new TestFolder();
    const file = folder.copyOf('fresh-server.anki2');
    const db = openExclusive(file);
    db.exec('BEGIN');
    takeOutCollation(db);
    toWorkingForm(db);
    db.exec(`INSERT INTO tags VALUES ('leech', 0, 0, NULL), ('${tag}', 0, 0, NULL); COMMIT`);
    db.close();
    const verdict = await prepareUpload(file);
    assert.equal(verdict.kind, accepted ? 'accepted' : 'refused', reasonOf(verdict));
    if (accepted) await assertReady(file);
    assert.deepEqual(folder.names(), ['collection.anki2']);
  }
});

test('a declaration that no release of Anki wrote is refused before it can get in the way', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('fresh-server.anki2');
  await withUnicaseDatabase(file, (db) => {
    db.exec(`PRAGMA writable_schema=ON;
      UPDATE sqlite_schema SET sql = replace(sql, 'name text', 'name varchar') WHERE name = 'decks';
      PRAGMA writable_schema=RESET`);
  });
  assert.match(reasonOf(await prepareUpload(file)), /declaration of decks/);
});

test('no trigger runs, not even while the file is checked', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('schema11/rich.anki2');
  const db = openExclusive(file);
  db.exec(`CREATE TRIGGER eat AFTER UPDATE ON col BEGIN DELETE FROM notes; END;
    CREATE TRIGGER eat2 AFTER UPDATE ON cards BEGIN DELETE FROM revlog; END`);
  const notes = db.prepare('SELECT count(*) AS n FROM notes').get()?.n;
  db.close();
  const verdict = await prepareUpload(file);
  assert.ok(verdict.kind === 'accepted', reasonOf(verdict));
  assert.deepEqual(verdict.dropped, ['trigger eat', 'trigger eat2']);
  assert.equal(rowsOf(file, 'SELECT count(*) AS n FROM notes')[0]?.n, notes);
});

test('what is no collection is refused with a reason', async () => {
  const spoilers: [string, RegExp][] = [
    ["UPDATE col SET mod = 'yesterday'", /no plain integer/],
    ['INSERT INTO col SELECT 2, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col', /2 rows/],
    ['ALTER TABLE cards DROP COLUMN data', /no column data in table cards/],
    [
      'ALTER TABLE notes RENAME TO n; CREATE TABLE notes AS SELECT * FROM n; DROP TABLE n',
      /another primary key in table notes/,
    ],
    ['CREATE VIRTUAL TABLE words USING fts5(word)', /virtual table words/],
    ["UPDATE decks SET kind = x'' WHERE id = 1", /deck 1/],
    ["UPDATE config SET val = 'text' WHERE KEY = 'nextPos'", /nextPos/],
    ["UPDATE config SET val = x'7b' WHERE KEY = 'nextPos'", /nextPos/],
    ["UPDATE notetypes SET config = 'text'", /not a blob/],
  ];
  for (const [sql, reason] of spoilers) {
    using folder = new TestFolder();
    const file = folder.copyOf('fresh-server.anki2');
    await withUnicaseDatabase(file, (db) => void db.exec(sql));
    const before = readFileSync(file);
    assert.match(reasonOf(await prepareUpload(file)), reason);
    assert.deepEqual(readFileSync(file), before);
    assert.deepEqual(folder.names(), ['collection.anki2']);
  }
});

test('a name that is not UTF-8 is refused: Anki could not read it', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('fresh-server.anki2');
  await withUnicaseDatabase(file, (db) => void db.exec("UPDATE decks SET name = CAST(x'ff41' AS TEXT)"));
  assert.match(reasonOf(await prepareUpload(file)), /a name is not UTF-8/);
});

test('an empty file is refused', async () => {
  using folder = new TestFolder();
  const file = folder.file('collection.anki2');
  writeFileSync(file, '');
  assert.match(reasonOf(await prepareUpload(file)), /^an empty file/);
});

test('a file that the server cannot read is no verdict about the collection', async () => {
  using folder = new TestFolder();
  await assert.rejects(prepareUpload(folder.file('missing.anki2')), { code: 'ENOENT' });
  const file = folder.copyOf('fresh-server.anki2');
  const db = openExclusive(file);
  db.exec('BEGIN IMMEDIATE');
  await assert.rejects(prepareUpload(file), /locked/);
  db.close();
});

test('damage anywhere in a file is found exactly when SQLite finds it with the collation in force', async () => {
  using folder = new TestFolder();
  const file = folder.copyOf('non-ascii-names.anki2');
  const original = readFileSync(file);
  const anywhere = fc.nat({ max: original.length - 1 });
  const inPageHeader = anywhere.map((at) => at - (at % 4096) + (at % 60));
  const damage = fc.record({
    at: fc.oneof(fc.nat({ max: 99 }), inPageHeader, anywhere),
    bits: fc.integer({ min: 1, max: 255 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, bits }) => {
      const damaged = Buffer.from(original);
      damaged[at] = (damaged[at] ?? 0) ^ bits;
      writeFileSync(file, damaged);
      const verdict = await prepareUpload(file);
      assert.deepEqual(folder.names(), ['collection.anki2']);
      assert.deepEqual(readFileSync(file).equals(damaged), true);
      if (verdict.kind === 'accepted') assert.equal(await integrityOf(file), 'ok');
      else if (verdict.reason.startsWith('integrity')) assert.notEqual(await integrityOf(file).catch(String), 'ok');
    }),
    { numRuns: 120 },
  );
});

const COUNTS = `SELECT mod AS mtimeMs, (SELECT count(*) FROM notes) AS notes, (SELECT count(*) FROM cards) AS cards,
  (SELECT count(*) FROM revlog) AS revlog FROM col`;
const COL = 'SELECT crt, mod, scm, usn, ls FROM col';
const CARDS = 'SELECT * FROM cards ORDER BY id';

function reasonOf(verdict: UploadVerdict): string {
  return verdict.kind === 'refused' ? verdict.reason : 'accepted';
}

function rowsOf(file: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file);
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    db.close();
  }
}

/** What is stored must be whole, canonical, without anything that waits to be sent, and ready for a sync. */
async function assertReady(file: string): Promise<void> {
  assert.equal(await integrityOf(file), 'ok');
  const db = openExclusive(file);
  try {
    assert.equal(formOf(db), 'canonical');
    assert.equal(db.prepare('SELECT ver FROM col').get()?.ver, 18);
    db.exec('BEGIN');
    takeOutCollation(db);
    for (const table of ['notes', 'cards', 'revlog', 'graves', 'notetypes', 'decks', 'deck_config', 'tags']) {
      assert.equal(db.prepare(`SELECT count(*) AS n FROM ${table} WHERE usn = -1`).get()?.n, 0, table);
    }
    db.exec('ROLLBACK');
  } finally {
    db.close();
  }
}
