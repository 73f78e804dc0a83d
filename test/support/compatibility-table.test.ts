import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { CLIENT_RELEASES } from './clients.ts';
import { compatibilityPage, makeCompatibilityPage } from './compatibility-table.ts';

const made = makeCompatibilityPage();

test('the page about compatibility says what the tests run', async () => {
  const page = await readFile(compatibilityPage, 'utf8');
  const hint = 'node test/support/compatibility-table.ts --write';
  assert.equal(page, await made, `docs/compatibility.md is old; write it anew with: ${hint}`);
});

test('every release that can be run has a mark in every topic', async () => {
  const page = await made;
  const topics = page.split('\n## ').filter((section) => section.includes('✓'));
  assert.ok(topics.length >= 7, 'the tests list their scenarios');
  for (const topic of topics) {
    const rows = topic.split('\n').filter((line) => line.includes('✓'));
    for (const [n, { version }] of CLIENT_RELEASES.entries()) {
      const marked = rows.some((row) => row.split(' | ')[n + 1]?.startsWith('✓'));
      assert.ok(marked, `Anki ${version} is run in "${topic.split('\n')[0]}"`);
    }
  }
});
