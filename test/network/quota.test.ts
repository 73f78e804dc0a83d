import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientVersion, newestClient } from '../support/clients.ts';
import { Device } from '../support/device.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';
import { canRun } from './client.ts';
import { Program } from './program.ts';

const CLIENTS = [newestClient, '2.1.66', '2.1.54', '2.1.15'] as const satisfies readonly ClientVersion[];

const MiB = 1024 * 1024;
const settings = {
  SYNC_HOST: '127.0.0.1',
  SYNC_PORT: '0',
  SYNC_QUOTA_COLLECTION_MEGS: '1',
  SYNC_QUOTA_MEDIA_MEGS: '1',
};

/** Text that hardly shrinks. */
function noise(bytes: number): string {
  return Array.from({ length: bytes }, () => Math.floor(Math.random() * 36).toString(36)).join('');
}

for (const version of CLIENTS) {
  test(`Anki ${version} shows that media are beyond the quota, loses nothing, and syncs on when there is room`, async (context) => {
    if (!(await canRun(version, context))) return;
    await using server = await Program.start({ env: settings });
    const [url = ''] = await server.urls();
    await using device = await Device.create({ version, url, hostKey: server.hostKey() });
    await device.addNote({ fields: ['front', 'back'] });
    await uploadAll(device);
    await device.writeMedia('first.txt', 'x'.repeat(0.7 * MiB));
    await device.syncMedia();
    await device.writeMedia('second.txt', 'y'.repeat(0.6 * MiB));
    await assert.rejects(device.syncMedia(), {
      message: /Your media would take 1\.3 MiB on the sync server, which keeps 1 MiB for each user/,
    });
    await device.addNote({ fields: ['studied', 'meanwhile'] });
    assert.equal(await device.outcome(), 'normal', 'notes and reviews do not wait for media');
    await device.removeMedia('first.txt');
    await device.syncMedia();
    await using other = await Device.create({ version, url, hostKey: server.hostKey() });
    await downloadAll(other);
    assert.deepEqual(Object.keys(await other.mediaFiles()), ['second.txt']);
    await server.printed(/refused uri="\/msync\/uploadChanges" .*Your media would take/);
  });

  test(`Anki ${version} shows that a collection is beyond the quota, and studying is never refused`, async (context) => {
    if (!(await canRun(version, context))) return;
    await using server = await Program.start({ env: settings });
    const [url = ''] = await server.urls();
    await using device = await Device.create({ version, url, hostKey: server.hostKey() });
    await device.addNote({ fields: ['front', 'back'] });
    await uploadAll(device);
    await device.addNote({ fields: ['grows', noise(1.5 * MiB)] });
    assert.equal(await device.outcome(), 'normal');
    await device.addNote({ fields: ['grows more', noise(MiB)] });
    const shown = version === '2.1.15' ? /./ : /Nothing was uploaded: your collection is \d\.\d MiB large/;
    await assert.rejects(device.upload(), { message: shown });
    await server.printed(/refused uri="\/sync\/upload" .*Nothing was uploaded/);
    await using other = await Device.create({ version, url, hostKey: server.hostKey() });
    await downloadAll(other);
    assert.equal((await other.findNotes('grows')).length, 1, 'what was stored is still there');
    await other.sync();
    await server.printed(/WARN .*A collection is larger than its quota user="ann"/);
  });
}
