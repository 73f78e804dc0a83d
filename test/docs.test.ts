import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { MEDIA_METHODS, SYNC_METHODS } from '../src/protocol/message.ts';
import { headings, links, PAGES, page, ROOT, read, tableRows } from './docs/pages.ts';
import { PURPOSES } from './oracle/on-purpose.ts';

test('the architecture page says which file answers each message', () => {
  const rows = tableRows(page('docs/architecture.md'));
  const lacking = [...SYNC_METHODS, ...MEDIA_METHODS].filter(
    (method) => !rows.some((row) => row.startsWith(`| \`${method}\` |`) && /`src\/[\w./-]+\.ts`/.test(row)),
  );
  assert.deepEqual(lacking, []);
});

test('the page about differences tells every one that is shown on both servers', () => {
  const lines = page('docs/differences.md').split('\n');
  const untold = PURPOSES.map(({ title }) => title).filter((title) => !lines.includes(`- ${title}`));
  assert.deepEqual(untold, []);
});

test('the index of decisions lists every note', () => {
  const listed = links(page('docs/decisions/README.md'));
  const notes = [...PAGES.keys()].filter((file) => file.startsWith('docs/decisions/'));
  const names = notes.map((file) => path.posix.basename(file)).filter((name) => name !== 'README.md');
  assert.deepEqual(
    names.filter((name) => !listed.includes(name)),
    [],
  );
});

test('the changelog speaks of the version that package.json has', () => {
  const { version } = JSON.parse(read('package.json'));
  const titles = headings(page('CHANGELOG.md')).map(({ title }) => title);
  assert.ok(
    titles.some((title) => title.startsWith(version)),
    `no heading for ${version}`,
  );
});

test('the licence is the AGPL, version 3 or later, in full', () => {
  assert.equal(JSON.parse(read('package.json')).license, 'AGPL-3.0-or-later');
  // The text as the Free Software Foundation publishes it, 661 lines.
  const published = '0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0';
  assert.equal(
    createHash('sha256')
      .update(readFileSync(path.join(ROOT, 'LICENSE')))
      .digest('hex'),
    published,
  );
});
