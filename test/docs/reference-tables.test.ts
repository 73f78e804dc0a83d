import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SETTINGS } from '../../src/config/config.ts';
import { ALL_COMMANDS } from './all-commands.ts';
import { page, tableRows } from './pages.ts';
import {
  missingReferenceWords,
  OFFICIAL_SETTINGS,
  REFERENCE_PAGES,
  type ReferencePage,
  settingRow,
  withTables,
} from './reference-tables.ts';

test('every setting and command has Japanese words for what the code says of it', async () => {
  assert.deepEqual(await missingReferenceWords(), []);
});

for (const reference of REFERENCE_PAGES) {
  test(`${reference.file} has the ${reference.tables} of the code, in its words`, async () => {
    const text = page(reference.file);
    assert.equal(text, await withTables(text, reference), 'run: node test/docs/reference-tables.ts --write');
    const rows = tableRows(text);
    const lacking = beginnings(reference).filter((beginning) => !rows.some((row) => row.startsWith(beginning)));
    assert.deepEqual(lacking, []);
  });
}

/** How the rows begin that must be there, whatever groups the tables have. */
function beginnings({ tables, language }: ReferencePage): readonly string[] {
  if (tables === 'commands') return ALL_COMMANDS.map(({ synopsis }) => `| \`${synopsis.replaceAll('|', '\\|')}\` |`);
  const wanted = tables === 'settings' ? SETTINGS : SETTINGS.filter(({ name }) => OFFICIAL_SETTINGS.includes(name));
  assert.ok(wanted.length >= OFFICIAL_SETTINGS.length);
  return wanted.map((setting) => settingRow(setting, language));
}
