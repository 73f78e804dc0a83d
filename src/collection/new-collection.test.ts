import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createCollection, creationTimeSecs } from './new-collection.ts';
import { contentOf, declarationsOf, integrityOf, TestFolder } from './test-files.ts';
import { withUnicaseDatabase } from './wasm/unicase-database.ts';

const OFFICIAL = 'fresh-server.anki2';

test('the collection of a new account is the one that the official server makes, but for random ids', async () => {
  using folder = new TestFolder();
  const official = folder.copyOf(OFFICIAL, 'official.anki2');
  const ours = folder.file('ours.anki2');
  const nowMs = await scmOf(official);

  await createCollection(ours, { nowMs });

  assert.deepEqual(folder.names(), ['official.anki2', 'ours.anki2']);
  assert.deepEqual([...readFileSync(ours).subarray(18, 20)], [2, 2], 'WAL mode');
  assert.equal(await integrityOf(ours), 'ok');
  assert.deepEqual(declarationsOf(ours).map(plain).sort(), declarationsOf(official).map(plain).sort());
  // The official server takes the time again for the ids of its notetypes, and had another time zone.
  const [col, officialCol] = [await colOf(ours), await colOf(official)];
  assert.deepEqual(col, { ...officialCol, crt: creationTimeSecs(nowMs) });
  assert.deepEqual(await normalised(ours), await normalised(official));
});

test('every field and template has an id of its own', async () => {
  using folder = new TestFolder();
  const file = folder.file('collection.anki2');
  await createCollection(file, { nowMs: 1_800_000_000_000 });
  const content = await contentOf(file);
  const blobs = [...(content.fields ?? []), ...(content.templates ?? [])].map((row) => row.split(' ').at(-1));
  assert.equal(blobs.length, 24);
  assert.equal(new Set(blobs).size, 24);
});

test("a collection begins at the last beginning of a day in the server's time zone", () => {
  const at = (hour: number, minute: number): Date => new Date(2026, 6, 15, hour, minute);
  const dayBegins = new Date(2026, 6, 15, 4).getTime() / 1000;
  assert.equal(creationTimeSecs(at(4, 0).getTime()), dayBegins);
  assert.equal(creationTimeSecs(at(23, 59).getTime()), dayBegins);
  assert.equal(creationTimeSecs(at(3, 59).getTime()), new Date(2026, 6, 14, 4).getTime() / 1000);
});

test('a collection that cannot be made leaves nothing behind', async () => {
  using folder = new TestFolder();
  writeFileSync(folder.file('a-file'), '');
  await assert.rejects(createCollection(path.join(folder.path, 'a-file', 'collection.anki2'), { nowMs: 0 }));
  await assert.rejects(createCollection(folder.path, { nowMs: 1_800_000_000_000 }), 'its place is taken by a folder');
  assert.deepEqual(folder.names(), ['a-file']);
});

async function scmOf(file: string): Promise<number> {
  return Number((await colOf(file)).scm);
}

function colOf(file: string): Promise<Record<string, unknown>> {
  return withUnicaseDatabase(file, (db) => ({ ...db.selectObject('SELECT * FROM col') }));
}

/** Without layout, letter case and comments. */
function plain(sql: string): string {
  const oneLine = sql.replace(/--.*$/gm, '').replace(/\s+/g, ' ').trim();
  return oneLine.replace(/ ?([(),]) ?/g, '$1').toLowerCase();
}

/** All rows but that of `col`, with ids of notetypes and random ids in blobs replaced by what they stand for. */
async function normalised(file: string): Promise<Record<string, string[]>> {
  const { col: _, ...content } = await contentOf(file);
  const ids = await withUnicaseDatabase(file, (db) =>
    db.selectValues('SELECT id FROM notetypes ORDER BY id').map(String),
  );
  let text = JSON.stringify(content);
  for (const [at, id] of ids.entries()) {
    const hex = Buffer.from(id).toString('hex').toUpperCase();
    text = text.replaceAll(id, `notetype ${at}`).replaceAll(hex, `text of notetype ${at}`);
  }
  const rows: Record<string, string[]> = JSON.parse(text);
  // Field 9 of a field (tag 48) and field 8 of a template (tag 40): a varint of up to ten bytes.
  const varint = '(?:[89A-F][0-9A-F])*[0-7][0-9A-F]';
  const withoutId = (before: string) => (row: string) =>
    row.replace(new RegExp(`(${before})${varint}((?:50.*)?')$`), '$1 id $2');
  const fields = (rows.fields ?? []).map(withoutId('201448'));
  const templates = (rows.templates ?? []).map(withoutId('(?:7D|0A)40'));
  assert.ok([...fields, ...templates].every((row) => row.includes(' id ')));
  return { ...rows, fields, templates };
}
