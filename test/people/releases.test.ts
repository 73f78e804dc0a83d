import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ClientVersion, clientRelease } from '../support/clients.ts';
import { Device } from '../support/device.ts';
import { preparePythonEnvs } from '../support/python-envs.ts';
import type { Server } from '../support/server.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';
import { addUser, DataFolder, ownerDoes, serverFor } from './owner.ts';

/** One of each way in which released clients carry a host key. */
const versions: readonly ClientVersion[] = ['2.1.15', '2.1.40', '2.1.54', '2.1.58', '24.11'];

describe('Random host keys', { concurrency: 2 }, () => {
  let folder: DataFolder;
  let server: Server;
  const missing = new Map<string, string>();
  before(async () => {
    for (const client of await preparePythonEnvs(versions)) {
      if (client.kind === 'missing') missing.set(client.version, client.reason);
    }
    folder = new DataFolder();
    await addUser(folder, 'first', 'pw');
    server = await serverFor(folder);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  for (const version of versions) {
    test(`Anki ${version} logs in, syncs and sends media with a key of its own, until it is revoked`, async (context) => {
      const reason = missing.get(version);
      if (reason !== undefined) return context.skip(reason);
      const user = `user of ${version}`;
      await addUser(folder, user, 'pass wörd');
      const create = () => Device.create({ version, url: server.url, hostKey: '' });
      await using phone = await create();
      await using laptop = await create();
      const keys = [await phone.login(user, 'pass wörd'), await laptop.login(user, 'pass wörd')];
      assert.equal(new Set(keys).size, 2);
      await phone.useSchedulerForAll();
      await phone.addNote({ fields: ['front', 'back'] });
      await phone.writeMedia('a.txt', 'a');
      await uploadAll(phone);
      await downloadAll(laptop);
      assert.deepEqual(Object.keys(await laptop.mediaFiles()), ['a.txt']);
      const list = await ownerDoes(folder, ['device', 'list', user]);
      if (clientRelease(version).protocol === 11) assert.match(list, /linux/);
      await ownerDoes(folder, ['device', 'revoke', user, '--all']);
      await assert.rejects(laptop.sync());
      await laptop.login(user, 'pass wörd');
      assert.equal(await laptop.outcome(), 'no changes');
    });
  }
});
