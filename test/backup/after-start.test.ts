import assert from 'node:assert/strict';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { startServer } from '../support/server.ts';
import { backupNames, waitFor } from './wait.ts';

const FIXTURES = path.join(import.meta.dirname, '../fixtures/collections');

test('what a killed server left half done among the backups is completed after the next start', async () => {
  const base = mkdtempSync(path.join(tmpdir(), 'anki-sync-base-'));
  const backups = path.join(base, 'ann/backups');
  const old = new Date(Date.now() - 40 * 24 * 60 * 60 * 1000).toISOString().replaceAll(':', '');
  try {
    mkdirSync(backups, { recursive: true });
    const collection = path.join(base, 'ann/collection.anki2');
    writeFileSync(collection, readFileSync(path.join(FIXTURES, 'rich.anki2')));
    copyFileSync(
      path.join(FIXTURES, 'rich.anki2'),
      path.join(backups, '2026-11-20T101010.000Z.replaced.pending.anki2'),
    );
    linkSync(collection, path.join(backups, '2026-11-21T101010.000Z.replaced.pending.anki2'));
    writeFileSync(path.join(backups, '2026-11-20T101010.000Z.replaced.colpkg.tmp'), 'unfinished');
    writeFileSync(path.join(backups, `${old}.replaced.colpkg`), 'too old');
    writeFileSync(path.join(backups, 'note to myself.txt'), 'not ours');
    await using server = await startServer({ base, users: ['ann'] });
    await waitFor(() => !backupNames(server, 'ann').includes(`${old}.replaced.colpkg`));
    assert.deepEqual(backupNames(server, 'ann'), ['2026-11-20T101010.000Z.replaced.colpkg', 'note to myself.txt']);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});

test('a damaged collection is answered with an error, named in the log, and left as it is', async () => {
  const base = mkdtempSync(path.join(tmpdir(), 'anki-sync-base-'));
  try {
    const collection = path.join(base, 'ann/collection.anki2');
    mkdirSync(path.dirname(collection));
    const bytes = readFileSync(path.join(FIXTURES, 'rich.anki2')).fill(0x55, 0, 4096);
    writeFileSync(collection, bytes);
    await using server = await startServer({ base, users: ['ann'] });
    for (const _attempt of [1, 2]) {
      const answer = await server.rawClient('ann').post('sync/meta', '{"v":11,"cv":"anki,test (1),linux"}');
      assert.equal(answer.status, 500);
    }
    assert.match(
      server.log,
      /ERROR .*The stored collection is damaged; see anki-sync-server verify ann.*path="[^"]*ann/,
    );
    await server.stop();
    assert.deepEqual(readFileSync(collection), bytes);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
