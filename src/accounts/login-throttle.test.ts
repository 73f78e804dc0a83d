import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyncError } from '../errors.ts';
import type { LogFields } from '../log.ts';
import { silentLog } from '../log.ts';
import { addressFailuresMax, type Caller, LoginThrottle, networkOf, userFailuresMax } from './login-throttle.ts';

/** Ann's password is `right`; hashes that were computed are counted. */
class Door {
  readonly lines: { fields: LogFields; text: string }[] = [];
  hashes = 0;
  readonly throttle = new LoginThrottle({
    log: { ...silentLog, warn: (fields, text) => void this.lines.push({ fields, text }) },
    isUser: (name) => name === 'ann' || name === 'mallory',
  });

  /** What the client hears. */
  async knock(user: string, password: string, from: string | Caller): Promise<string> {
    const caller = typeof from === 'string' ? { ip: from, isShared: false } : from;
    try {
      return await this.throttle.guard({ user, from: caller }, async () => {
        this.hashes += 1;
        if (password !== 'right') throw new SyncError('hostKeyRejected', 'wrong');
        return 'key';
      });
    } catch (error) {
      assert.ok(error instanceof SyncError);
      return error.code;
    }
  }

  async knockOften(times: number, user: string, from: string | Caller): Promise<void> {
    for (let n = 0; n < times; n++) await this.knock(user, 'wrong', from);
  }
}

test('who guesses one password is stopped before anything is hashed', async () => {
  const door = new Door();
  await door.knockOften(1000, 'ann', '203.0.113.9');
  assert.equal(door.hashes, userFailuresMax);
  assert.equal(await door.knock('ann', 'right', '203.0.113.9'), 'tooManyLogins');
  assert.match(String(door.lines.at(-1)?.fields['reason']), /too many/);
});

test('who tries many names is stopped by the address', async () => {
  const door = new Door();
  for (let n = 0; n < 200; n++) await door.knock(`name${n}`, 'wrong', '203.0.113.9');
  assert.equal(door.hashes, addressFailuresMax);
  assert.equal(await door.knock('ann', 'right', '198.51.100.1'), 'key', 'others are not concerned');
});

test('a whole IPv6 network of one customer is one address', async () => {
  const door = new Door();
  for (let n = 0; n < 200; n++) await door.knock(`name${n}`, 'wrong', `2001:db8:1:2::${n.toString(16)}`);
  assert.equal(door.hashes, addressFailuresMax);
  assert.equal(await door.knock('ann', 'right', '2001:db8:1:3::1'), 'key');
  assert.equal(networkOf({ ip: '::ffff:192.0.2.1', isShared: false }), '192.0.2.1');
});

test('many addresses together cannot guess one password any faster', async () => {
  const door = new Door();
  for (let n = 0; n < 500; n++) await door.knock('ann', 'wrong', `203.0.${n >> 8}.${n & 255}`);
  assert.equal(door.hashes, userFailuresMax);
});

test('strangers cannot lock a user out of a place where a device has synced', async () => {
  const door = new Door();
  door.throttle.sawUser('ann', { ip: '192.0.2.77', isShared: false });
  for (let n = 0; n < 500; n++) await door.knock('ann', 'wrong', `203.0.${n >> 8}.${n & 255}`);
  assert.equal(await door.knock('ann', 'right', '198.51.100.1'), 'tooManyLogins');
  assert.equal(await door.knock('ann', 'right', '192.0.2.77'), 'key');
  await door.knockOften(addressFailuresMax, 'ann', '192.0.2.77');
  assert.equal(await door.knock('ann', 'right', '192.0.2.77'), 'tooManyLogins', 'but it has a limit of its own');
});

test('an account of their own does not buy guessers more attempts', async () => {
  const door = new Door();
  for (let n = 0; n < 300; n++) {
    await door.knock('mallory', 'right', '203.0.113.9');
    await door.knock(`victim${n}`, 'wrong', '203.0.113.9');
  }
  assert.equal(door.hashes, 300 + addressFailuresMax);
});

test('names that nobody has are counted apart, so that they push no user out of memory', async () => {
  const door = new Door();
  await door.knockOften(userFailuresMax, 'ann', '203.0.113.9');
  for (let n = 0; n < 25_000; n++)
    await door.knock(`nobody${n}`, 'wrong', `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  assert.equal(await door.knock('ann', 'right', '198.51.100.1'), 'tooManyLogins');
});

test('a class that logs in at the same time behind one address gets in', async () => {
  const door = new Door();
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, (_, n) => door.knock(`pupil${n}`, 'right', '192.0.2.1')),
  );
  assert.deepEqual(new Set(outcomes), new Set(['key']));
  assert.equal(await door.knock('ann', 'right', '192.0.2.1'), 'key');
});

test('a neighbour behind the same address locks nobody out who has synced there', async () => {
  const door = new Door();
  door.throttle.sawUser('ann', { ip: '192.0.2.1', isShared: false });
  for (let n = 0; n < 200; n++) await door.knock(`name${n}`, 'wrong', '192.0.2.1');
  assert.equal(await door.knock('ann', 'right', '192.0.2.1'), 'key');
  assert.equal(await door.knock('mallory', 'right', '192.0.2.1'), 'tooManyLogins');
});

test('faults of the server count as nobody’s failure', async () => {
  const door = new Door();
  for (let n = 0; n < 100; n++) {
    const attempt = { user: 'ann', from: { ip: '192.0.2.1', isShared: false } };
    await assert.rejects(
      door.throttle.guard(attempt, () => Promise.reject(new Error('disk'))),
      /disk/,
    );
  }
  assert.equal(await door.knock('ann', 'right', '192.0.2.1'), 'key');
});

test('behind a proxy that does not tell addresses nobody is locked out for others, and no address is claimed', async () => {
  const door = new Door();
  const shared = { ip: '172.17.0.1', isShared: true };
  for (let n = 0; n < 200; n++) await door.knock(`name${n}`, 'wrong', shared);
  assert.equal(await door.knock('ann', 'right', shared), 'key');
  assert.deepEqual(door.lines[0]?.fields, {
    addr: 'unknown',
    via: '172.17.0.1',
    reason: 'wrong name or password',
    user: 'name0',
  });
});

test('each failure is one line with the address before anything that a stranger wrote', async () => {
  const door = new Door();
  await door.knock('ann" addr="192.0.2.99', 'wrong', '203.0.113.9');
  await door.throttle.sawWrongKey({ ip: '203.0.113.9', isShared: false });
  assert.deepEqual(
    door.lines.map(({ text, fields }) => [text, Object.keys(fields)]),
    [
      ['login refused', ['addr', 'reason', 'user']],
      ['login refused', ['addr', 'reason']],
    ],
  );
  assert.equal(door.lines[0]?.fields['addr'], '203.0.113.9');
});

test('who tries host keys is not to guess passwords either', async () => {
  const door = new Door();
  for (let n = 0; n < addressFailuresMax; n++) await door.throttle.sawWrongKey({ ip: '203.0.113.9', isShared: false });
  assert.equal(await door.knock('ann', 'right', '203.0.113.9'), 'tooManyLogins');
});
