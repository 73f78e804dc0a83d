import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AheadRoom } from './ahead-room.ts';

test('few receivers get much, more of them little, and who is done makes place', () => {
  const room = new AheadRoom({ places: 2, bytesMuch: 100, bytesLittle: 1 });
  const first = room.take();
  const others = [room.take(), room.take(), room.take()];
  assert.deepEqual(
    [first, ...others].map(({ bytes }) => bytes),
    [100, 100, 1, 1],
  );
  for (const each of others.slice(1)) each[Symbol.dispose]();
  assert.equal(room.take().bytes, 1);
  first[Symbol.dispose]();
  assert.deepEqual([room.take().bytes, room.take().bytes], [100, 1]);
});
