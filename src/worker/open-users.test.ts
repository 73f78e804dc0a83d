import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { userFolder } from '../user-folder.ts';
import { OpenUsers } from './open-users.ts';

/** So many users come one after the other, this many milliseconds apart. Returns how many are open then, and the last. */
function comeAndGo(count: number, apartMs: number, isIdle: (user: string) => boolean = () => true) {
  let nowMs = 0;
  const clock = mock.method(performance, 'now', () => nowMs);
  try {
    const users = new OpenUsers<string>(
      ({ user }) => user,
      isIdle,
      () => {},
    );
    for (let at = 0; at < count; at++) {
      nowMs += apartMs;
      users.of(userFolder('base', `user${at}`));
    }
    return users.all();
  } finally {
    clock.mock.restore();
  }
}

test('memory does not grow with the number of users who came one after the other', () => {
  const open = comeAndGo(200, 100);
  assert.ok(open.length <= 6, `${open.length} are open`);
  assert.equal(open.at(-1), 'user199');
});

test('users who sync at the same time stay open, however many they are', () => {
  assert.equal(comeAndGo(60, 1).length, 60);
});

test('a user in the middle of a sync stays open', () => {
  const open = comeAndGo(200, 100, (user) => user !== 'user3');
  assert.ok(open.includes('user3'));
  assert.ok(open.length <= 7);
});

test('who comes back while being closed is the same as before, and everything is closed at the end', async () => {
  const closings: PromiseWithResolvers<void>[] = [];
  let made = 0;
  const users = new OpenUsers(
    () => ({ number: made++ }),
    () => true,
    () => {
      const closing = Promise.withResolvers<void>();
      closings.push(closing);
      return closing.promise;
    },
  );
  const clock = mock.method(performance, 'now', () => 0);
  const ann = userFolder('base', 'ann');
  const first = users.of(ann);
  clock.mock.mockImplementation(() => 60_000);
  users.closeIdle();
  assert.deepEqual([users.all().length, users.size], [0, 1]);
  assert.equal(users.of(ann), first);
  clock.mock.mockImplementation(() => 120_000);
  users.closeIdle();
  let isClosed = false;
  const end = users.closeAll().then(() => {
    isClosed = true;
  });
  closings[0]?.resolve();
  await new Promise(setImmediate);
  assert.equal(isClosed, false);
  for (const closing of closings) closing.resolve();
  await end;
  clock.mock.restore();
  assert.equal(made, 1);
});
