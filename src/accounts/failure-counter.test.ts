import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { FailureCounter } from './failure-counter.ts';

test('so many failures are let through, and no more until the time is over', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  try {
    const counter = new FailureCounter({ failuresMax: 3, windowSecs: 60, keysMax: 10 });
    const take = () => counter.take('a');
    assert.deepEqual([await take(), await take(), await take()], [undefined, undefined, undefined]);
    const waitMs = await take();
    assert.ok(waitMs !== undefined && waitMs > 59_000 && waitMs <= 60_000, String(waitMs));
    assert.equal(await counter.take('b'), undefined);
    mock.timers.tick(30_000);
    assert.ok(((await take()) ?? 0) <= 30_000, 'knocking does not prolong it');
    mock.timers.tick(30_001);
    assert.equal(await take(), undefined);
  } finally {
    mock.timers.reset();
  }
});

test('attempts at the same time do not slip through together', async () => {
  const counter = new FailureCounter({ failuresMax: 3, windowSecs: 60, keysMax: 10 });
  const waits = await Promise.all(Array.from({ length: 100 }, () => counter.take('a')));
  assert.equal(waits.filter((wait) => wait === undefined).length, 3);
});

test('what was no failure does not count', async () => {
  const counter = new FailureCounter({ failuresMax: 1, windowSecs: 60, keysMax: 10 });
  for (let n = 0; n < 20; n++) {
    assert.equal(await counter.take('a'), undefined);
    await counter.giveBack('a');
  }
});

test('a million strangers take no more memory than the limit', async () => {
  const counter = new FailureCounter({ failuresMax: 3, windowSecs: 60, keysMax: 100 });
  for (let n = 0; n < 100_000; n++) {
    await counter.take(`stranger ${n}`);
    await counter.giveBack(`stranger ${n - 500}`); // Forgotten already, and not to be remembered by this.
    if (n % 50 === 0) await counter.take('regular');
  }
  assert.equal(counter.keyCount, 100);
  assert.notEqual(await counter.take('regular'), undefined, 'who keeps failing is not forgotten for them');
});
