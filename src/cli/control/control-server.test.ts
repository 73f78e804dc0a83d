import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { PeopleCalls } from '../../accounts/people-calls.ts';
import { type CareCalls, CareProblem } from '../../lanes/care-calls.ts';
import { silentLog } from '../../log.ts';
import { publishedAddress } from './control-address.ts';
import { callsOfServer, NoServerError } from './control-client.ts';
import { ControlServer } from './control-server.ts';

/** A data folder whose path has at least so many bytes. */
class Base implements Disposable {
  readonly #root = mkdtempSync(path.join(tmpdir(), 'control-'));
  readonly path: string;

  constructor(bytesMin = 0) {
    this.path = path.join(this.#root, 'x'.repeat(bytesMin));
    mkdirSync(path.join(this.path, '.server'), { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

const asked: unknown[] = [];
const care: CareCalls = {
  listBackups: async (argument) => {
    asked.push(argument);
    return [{ user: 'ann', backups: [] }];
  },
  backUp: async () => {
    throw new CareProblem('There is no user "bob".');
  },
  restore: () => Promise.reject(new Error('broken')),
  verify: async () => [],
  listTrash: async () => [],
  restoreTrash: async () => ({ restored: [], unreadable: [] }),
};

const people: PeopleCalls = {
  listUsers: async () => [{ name: 'ann', isEnabled: true, bytes: 7 }],
  addUser: () => Promise.reject(new CareProblem('There is a user "ann" already.')),
  changePassword: async () => ({ devices: 0 }),
  renameUser: async () => ({}),
  setUserEnabled: async () => ({}),
  removeUser: async () => ({}),
  listDevices: async () => [],
  revokeDevices: async () => ({ devices: 0 }),
};

/** Where the server of a data folder listens. */
function addressOf(base: string): string {
  const address = publishedAddress(base);
  assert.ok(address !== undefined, 'the server has told where it listens');
  return address;
}

for (const [title, bytesMin] of [
  ['a path of usual length', 0],
  ['a path that is too long for a socket', 150],
] as const) {
  test(`a command reaches the running server of a data folder with ${title}`, async () => {
    using base = new Base(bytesMin);
    const server = await ControlServer.listen(base.path, { care, people }, silentLog);
    const address = addressOf(base.path);
    const { care: client, people: other } = callsOfServer(address);
    assert.deepEqual(await client.listBackups({ user: 'ann' }), [{ user: 'ann', backups: [] }]);
    assert.deepEqual(asked.at(-1), { user: 'ann' });
    await assert.rejects(client.backUp({ user: 'bob' }), { message: 'There is no user "bob".' });
    assert.deepEqual(await other.listUsers({}), [{ name: 'ann', isEnabled: true, bytes: 7 }]);
    await assert.rejects(other.addUser({ user: 'ann', passwordHash: '' }), {
      message: 'There is a user "ann" already.',
    });
    await assert.rejects(client.restore({ user: 'ann', backup: 'x', media: false }), { message: 'broken' });
    if (process.platform !== 'win32') assert.equal(statSync(path.dirname(address)).mode & 0o777, 0o700);
    server.close();
    await assert.rejects(client.listBackups({}), NoServerError);
    assert.equal(publishedAddress(base.path), undefined);
    assert.ok(process.platform === 'win32' || !existsSync(path.dirname(address)), 'nothing is left behind');
  });
}

test('what a killed server left behind is in nobody’s way', async () => {
  using base = new Base();
  const killed = await ControlServer.listen(base.path, { care, people }, silentLog);
  const next = await ControlServer.listen(base.path, { care, people }, silentLog);
  assert.equal((await callsOfServer(addressOf(base.path)).care.listBackups({})).length, 1);
  next.close();
  killed.close();
});
