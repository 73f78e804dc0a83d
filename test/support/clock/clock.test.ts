import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { Clock } from './clock.ts';
import { skipWithoutClock } from './clock-library.ts';

const skip = skipWithoutClock();
const startMs = Date.UTC(2031, 4, 6, 7, 8, 9, 123);

const nodeScript = `
  require('node:readline').createInterface({ input: process.stdin }).on('line', () =>
    console.log(JSON.stringify([Date.now(), Number(process.hrtime.bigint() / 1000000n)])));
  new (require('node:worker_threads').Worker)('setInterval(() => {}, 1000)', { eval: true }).unref();`;

async function nodeChild(clock: Clock) {
  const child = spawn(process.execPath, ['-e', nodeScript], {
    env: { ...process.env, ...clock.environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async times(): Promise<{ wallMs: number; monotonicMs: number }> {
      child.stdin.write('\n');
      const [wallMs, monotonicMs] = JSON.parse((await lines.next()).value ?? '[]');
      return { wallMs, monotonicMs };
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

test('Node sees the time that the test sets, at once, and its timers go on', { skip }, async () => {
  using clock = new Clock(startMs);
  await using node = await nodeChild(clock);
  const first = await node.times();
  assert.equal(first.wallMs, startMs);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = await node.times();
  assert.equal(second.wallMs, startMs);
  assert.ok(second.monotonicMs > first.monotonicMs);
  clock.advance(86_400_000);
  assert.equal((await node.times()).wallMs, startMs + 86_400_000);
  clock.set(startMs - 5);
  assert.equal((await node.times()).wallMs, startMs - 5);
});

test('a clock that is let go runs on from where it stood', { skip }, async () => {
  using clock = new Clock(startMs);
  await using node = await nodeChild(clock);
  clock.run();
  const { wallMs } = await node.times();
  assert.ok(wallMs >= startMs && wallMs < startMs + 10_000, String(wallMs));
  clock.set(startMs);
  assert.equal((await node.times()).wallMs, startMs);
});

test('time(), gettimeofday() and clock_gettime() of other programs agree', { skip }, () => {
  using clock = new Clock(startMs);
  const env = { ...process.env, ...clock.environment };
  const date = spawnSync('date', ['+%s%3N'], { env, encoding: 'utf8' });
  assert.equal(Number(date.stdout), startMs);
  const script =
    'import time, datetime, sqlite3; print(time.time_ns() // 10**6, int(datetime.datetime.now().timestamp()))';
  const python = spawnSync('python3', ['-c', script], { env, encoding: 'utf8' });
  assert.equal(python.stdout.trim(), `${startMs} ${Math.floor(startMs / 1000)}`);
});
