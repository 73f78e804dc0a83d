import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { command } from '../backup/commands.ts';
import { newestClient } from '../support/clients.ts';
import { assertSameState } from '../support/compare.ts';
import { Device } from '../support/device.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { startServer } from '../support/server.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';

/** As in the command of docs/operate.md. */
const LEFT_OUT = /^(?:collection\.anki2.*|media\.db.*|incoming|\.server)$/;

test('a copy of a running server without its live databases brings cards and media back on an empty machine', async (t) => {
  const client = await preparePythonEnv(newestClient);
  if (client.kind === 'missing') return t.skip(client.reason);
  const root = mkdtempSync(path.join(tmpdir(), 'backup-copy-'));
  const copy = path.join(root, 'copy');
  try {
    const env = { SYNC_USER2: 'ann:secret' };
    const options = { users: ['somebody else'], passwords: 'plain', env } as const;
    await using server = await startServer(options);
    await using laptop = await Device.create({ version: newestClient, url: server.url, hostKey: '', name: 'laptop' });
    await laptop.login('ann', 'secret');
    await laptop.addNotes([{ fields: ['front <img src="file.jpg">', 'back'] }, { fields: ['second', ''] }]);
    await laptop.writeMedia('file.jpg', 'one');
    await uploadAll(laptop);
    assert.equal((await command(server, 'backup', 'ann')).stderr, '');
    cpSync(server.base, copy, { recursive: true, filter: (source) => !LEFT_OUT.test(path.basename(source)) });
    await server.kill();

    await using other = await startServer({ ...options, base: copy });
    const restored = await command(other, 'restore', 'ann', 'latest');
    assert.equal(restored.code, 0, restored.stderr);
    await using fresh = await Device.create({ version: newestClient, url: other.url, hostKey: '', name: 'fresh' });
    await fresh.login('ann', 'secret');
    await downloadAll(fresh);
    assert.deepEqual(Object.keys(await fresh.mediaFiles()), ['file.jpg']);
    await laptop.connect(other.url);
    assert.equal(await laptop.outcome(), 'full', 'a device that has synced before chooses a side');
    await laptop.download();
    await assertSameState([laptop, fresh]);
    assert.deepEqual(await fresh.findNotes(''), await laptop.findNotes(''));
    assert.equal((await fresh.findNotes('')).length, 2);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
