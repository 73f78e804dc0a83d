import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lineOf } from '../monitoring/log-reader.ts';
import { newestClient } from '../support/clients.ts';
import { assertSameState } from '../support/compare.ts';
import { Device } from '../support/device.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Server } from '../support/server.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';
import { addUser, DataFolder, owner, ownerDoes, serverFor, statusOf, tryLogin } from './owner.ts';

const wrongKey = { status: 403 };

describe('Users and devices, while the server runs', () => {
  let folder: DataFolder;
  let server: Server;
  before(async () => {
    await preparePythonEnv(newestClient);
    folder = new DataFolder();
    await addUser(folder, 'first', 'pw');
    server = await serverFor(folder);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** A device that has just logged in by name and password. */
  async function loggedIn(user: string, password: string): Promise<{ device: Device; key: string }> {
    const device = await Device.create({ version: newestClient, url: server.url, hostKey: '' });
    return { device, key: await device.login(user, password) };
  }

  test('a user who was added logs in on two devices and syncs, and one that is revoked must log in again', async () => {
    assert.equal(await addUser(folder, 'ann', 'päss wörd'), 'Added ann.\n');
    const { device: phone, key } = await loggedIn('ann', 'päss wörd');
    await using _phone = phone;
    await phone.addNote({ fields: ['front', 'back'] });
    await uploadAll(phone);
    const { device: laptop, key: other } = await loggedIn('ann', 'päss wörd');
    await using _laptop = laptop;
    await downloadAll(laptop);
    assert.notEqual(key, other);
    await assertSameState([phone, laptop]);

    const list = await ownerDoes(folder, ['device', 'list', 'ann']);
    const [, , first = '', second = ''] = list.split('\n');
    for (const line of [first, second]) assert.match(line, /^ +\d+ {2}26\.09\.3,\w+,linux +\d{4}-.*127\.0\.0\.1$/);
    assert.match(await ownerDoes(folder, ['user', 'list']), /^ann +enabled +stored +2 +\d{4}-.* KiB$/m);

    await ownerDoes(folder, ['device', 'revoke', 'ann', first.trim().split(' ')[0] ?? '']);
    await assert.rejects(phone.sync(), /[Aa]uth|password/);
    assert.equal(await statusOf(server, key), 403);
    await laptop.addNote({ fields: ['another', ''] });
    assert.equal(await laptop.outcome(), 'normal');
    await phone.login('ann', 'päss wörd');
    assert.equal(await phone.outcome(), 'normal');
    await assertSameState([phone, laptop]);
  });

  test('a password that is changed in the middle of a sync ends the sync, and nothing of it is kept', async () => {
    await addUser(folder, 'bob', 'old');
    const { device, key } = await loggedIn('bob', 'old');
    await using phone = device;
    await phone.addNote({ fields: ['stays', ''] });
    await uploadAll(phone);
    const raw = new RawClient(server.url, key);
    const before = await raw.meta();
    await raw.start(before.usn);
    await raw.applyGraves({ notes: [...(await phone.findNotes(''))] });
    assert.match(
      await ownerDoes(folder, ['user', 'password', 'bob'], { input: 'new\n' }),
      /^Changed the password of bob\. 1 device must log in again\.$/m,
    );
    await lineOf(server, /bob: .* rolled back, because its device may not sync any more/);
    for (const go of [() => raw.chunk(), () => raw.finish(), () => raw.meta()]) await assert.rejects(go(), wrongKey);
    assert.equal((await tryLogin(server, 'bob', 'old')).status, 403);
    const again = new RawClient(server.url, (await tryLogin(server, 'bob', 'new')).key);
    assert.equal((await again.meta()).usn, before.usn);
    assert.equal((await again.meta()).mod, before.mod);
    await phone.login('bob', 'new');
    assert.equal(await phone.outcome(), 'no changes');
    assert.equal((await phone.findNotes('')).length, 1);
  });

  test('a revoked device does not end the sync of another one', async () => {
    await addUser(folder, 'carl', 'pw');
    const [lost, kept] = [await tryLogin(server, 'carl', 'pw'), await tryLogin(server, 'carl', 'pw')];
    const raw = new RawClient(server.url, kept.key);
    const { usn } = await raw.meta();
    await raw.start(usn);
    const [, , first = ''] = (await ownerDoes(folder, ['device', 'list', 'carl'])).split('\n');
    await ownerDoes(folder, ['device', 'revoke', 'carl', first.trim().split(' ')[0] ?? '']);
    assert.equal(await statusOf(server, lost.key), 403);
    await raw.applyChanges();
    assert.equal((await raw.chunk()).done, true);
    await ownerDoes(folder, ['device', 'revoke', 'carl', '--all']);
    await assert.rejects(raw.applyChunk(), wrongKey);
  });

  test('a disabled user cannot sync or log in, and goes on when enabled', async () => {
    await addUser(folder, 'dora', 'pw');
    const { key } = await tryLogin(server, 'dora', 'pw');
    const raw = new RawClient(server.url, key);
    await raw.start((await raw.meta()).usn);
    await ownerDoes(folder, ['user', 'disable', 'dora']);
    await assert.rejects(raw.chunk(), wrongKey);
    assert.equal((await tryLogin(server, 'dora', 'pw')).status, 403);
    assert.match(await ownerDoes(folder, ['user', 'list']), /^dora +disabled/m);
    await ownerDoes(folder, ['user', 'enable', 'dora']);
    await assert.rejects(raw.chunk(), { status: 409 }, 'the sync was rolled back');
    assert.equal(await statusOf(server, key), 200);
  });

  test('a renamed user keeps the collection, the media and the devices', async () => {
    await addUser(folder, 'emil', 'pw');
    const { device: phone, key } = await loggedIn('emil', 'pw');
    await using _phone = phone;
    await phone.addNote({ fields: ['front', 'back'] });
    await phone.writeMedia('a.txt', 'a');
    await uploadAll(phone);
    const raw = new RawClient(server.url, key);
    await raw.start((await raw.meta()).usn);
    await ownerDoes(folder, ['user', 'rename', 'emil', 'Emilia']);
    await assert.rejects(raw.chunk(), { status: 409 });
    assert.ok(!existsSync(path.join(folder.base, 'emil')));
    await phone.addNote({ fields: ['after', ''] });
    await phone.writeMedia('b.txt', 'b');
    assert.equal(await phone.outcome(), 'normal');
    await phone.syncMedia();
    assert.equal((await tryLogin(server, 'emil', 'pw')).status, 403);
    const { device: laptop } = await loggedIn('Emilia', 'pw');
    await using _laptop = laptop;
    await downloadAll(laptop);
    await assertSameState([phone, laptop]);
    assert.deepEqual(Object.keys(await laptop.mediaFiles()), ['a.txt', 'b.txt']);
    assert.ok(!existsSync(path.join(folder.base, 'emil')), 'nothing makes the old folder anew');
    assert.match((await ownerDoes(folder, ['verify', 'Emilia'])) ?? '', /all is well/);
    // The old name is free, and has nothing of what was there.
    await addUser(folder, 'emil', 'pw');
    const fresh = new RawClient(server.url, (await tryLogin(server, 'emil', 'pw')).key);
    assert.equal((await fresh.meta()).empty, true);
  });

  test('a removed user cannot sync; the data stay, unless the name is typed again', async () => {
    await addUser(folder, 'frida', 'pw');
    const { device, key } = await loggedIn('frida', 'pw');
    await using phone = device;
    await phone.addNote({ fields: ['front', 'back'] });
    await uploadAll(phone);
    const wrong = await owner(folder, ['user', 'remove', 'frida', '--delete-data', 'Frida']);
    assert.deepEqual([wrong.code, /type --delete-data frida/.test(wrong.stderr)], [1, true]);
    assert.equal(await statusOf(server, key), 200);
    assert.match(await ownerDoes(folder, ['user', 'remove', 'frida']), /The data are kept in .*frida/);
    await assert.rejects(phone.sync(), /[Aa]uth|password/);
    assert.match(await addUser(folder, 'frida', 'other'), /collection of that name, which is theirs now/);
    await phone.login('frida', 'other');
    assert.equal(await phone.outcome(), 'no changes');
    await ownerDoes(folder, ['user', 'remove', 'frida', '--delete-data', 'frida']);
    assert.ok(!existsSync(path.join(folder.base, 'frida')));
    await addUser(folder, 'frida', 'third');
    const fresh = new RawClient(server.url, (await tryLogin(server, 'frida', 'third')).key);
    assert.equal((await fresh.meta()).empty, true);
  });

  test('logins and commands at the same time leave nobody out', async () => {
    await addUser(folder, 'gerd', 'pw');
    const logins = Array.from({ length: 8 }, () => tryLogin(server, 'gerd', 'pw'));
    const commands = [
      owner(folder, ['user', 'disable', 'first']),
      owner(folder, ['user', 'add', 'hanna'], { input: 'pw' }),
      owner(folder, ['user', 'add', 'hanna'], { input: 'pw' }),
    ];
    const results = await Promise.all(logins);
    assert.deepEqual(
      (await Promise.all(commands)).map(({ code }) => code).sort(),
      [0, 0, 1],
      'one of two equal users is refused',
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      results.map(() => 200),
    );
    assert.equal(new Set(results.map(({ key }) => key)).size, 8);
    for (const { key } of results) assert.equal(await statusOf(server, key), 200);
    assert.equal((await tryLogin(server, 'hanna', 'pw')).status, 200);
  });
});
