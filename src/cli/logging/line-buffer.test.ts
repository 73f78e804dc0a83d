import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { LineBuffer } from './line-buffer.ts';
import { processLog } from './process-log.ts';

function collected() {
  const writes: string[] = [];
  const buffer = new LineBuffer({ write: (text) => writes.push(text) });
  return { writes, buffer };
}

test('the first line of a moment is written at once, the others together at its end, in their order', async () => {
  const { writes, buffer } = collected();
  for (const line of ['a\n', 'b\n', 'c\n']) buffer.write(line);
  assert.deepEqual(writes, ['a\n']);
  await setImmediate();
  assert.deepEqual(writes, ['a\n', 'b\nc\n']);
  buffer.write('d\n');
  assert.deepEqual(writes, ['a\n', 'b\nc\n', 'd\n']);
});

test('a flush writes what waits, and nothing twice', async () => {
  const { writes, buffer } = collected();
  buffer.flush();
  buffer.write('a\n');
  buffer.write('b\n');
  buffer.flush();
  buffer.flush();
  await setImmediate();
  assert.deepEqual(writes, ['a\n', 'b\n']);
});

test('many lines do not pile up until the moment is over', () => {
  const { writes, buffer } = collected();
  const line = `${'x'.repeat(999)}\n`;
  for (let at = 0; at < 100; at++) buffer.write(line);
  const written = writes.join('').length;
  buffer.flush();
  assert.ok(written > 80_000, `only ${written} characters were written`);
  assert.equal(writes.join(''), line.repeat(100));
});

test('warnings and errors wait for nothing, and no earlier line comes behind them', () => {
  for (const format of ['text', 'json'] as const) {
    for (const level of ['warn', 'error'] as const) {
      const { writes, buffer } = collected();
      const log = processLog({ level: 'info', format, sink: buffer });
      log.info({}, 'first');
      log.info({}, 'before');
      assert.equal(writes.length, 1);
      log[level]({}, 'wrong');
      assert.match(writes.join(''), /first.*\n.*before.*\n.*wrong.*\n$/);
      buffer.flush();
    }
  }
});
