import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textLog } from './text-log.ts';

function lines(level: string, write: (log: ReturnType<typeof textLog>) => void): string[] {
  const texts: string[] = [];
  write(textLog(level, { write: (text) => texts.push(text) }));
  return texts;
}

test('a line has time, level, text and fields by name', () => {
  const [line] = lines('info', (log) =>
    log.info({ uri: '/sync/meta', httpstatus: 200, files: ['a'], big: 2n ** 60n }, 'finished'),
  );
  assert.match(
    line ?? '',
    /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}finished uri="\/sync\/meta" httpstatus=200 files=\["a"\] big=\d+\n$/,
  );
});

test('what comes from outside stays within its quotes and its line', () => {
  const [line] = lines('info', (log) => log.info({ client: 'x" uid="ann"\nERROR \u001b[31m' }, 'finished'));
  assert.equal(line?.split('\n').length, 2);
  assert.ok(line?.includes('client="x\\" uid=\\"ann\\"\\nERROR \\u001b[31m"'));
});

test('errors tell what happened and where', () => {
  const [line] = lines('info', (log) => log.error({ err: new Error('disk is gone') }, 'failed'));
  assert.match(line ?? '', /ERROR failed error="disk is gone" stack="Error: disk is gone/);
});

test('the level decides what is written', () => {
  const all = (log: ReturnType<typeof textLog>) => {
    log.error({}, 'e');
    log.warn({}, 'w');
    log.info({}, 'i');
    log.debug({}, 'd');
  };
  assert.deepEqual(
    ['off', 'error', 'warn', 'info', 'debug', 'trace'].map((level) => lines(level, all).length),
    [0, 1, 2, 3, 4, 4],
  );
});
