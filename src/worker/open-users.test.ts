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
