import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOG_LEVELS, type LogLevel } from '../../config/log-settings.ts';
import { processLog, textLog } from './process-log.ts';

function lines(level: LogLevel, write: (log: ReturnType<typeof textLog>) => void): string[] {
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

test('the causes of an error are told with it', () => {
  const error = new Error('cannot save', { cause: new Error('disk is gone') });
  const [line] = lines('info', (log) => log.error({ err: error }, 'failed'));
  assert.match(line ?? '', /ERROR failed error="cannot save: disk is gone" stack="Error: cannot save.*disk is gone/);
});

test('a value that JSON does not know is written all the same', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const [line] = lines('info', (log) => log.info({ circle, none: undefined, many: [2n], last: 1 }, 'odd'));
  assert.match(line ?? '', /INFO {2}odd circle="<ref.*" many="\[ 2n \]" last=1\n$/);
});

test('the level decides what is written', () => {
  const all = (log: ReturnType<typeof textLog>) => {
    log.error({}, 'e');
    log.warn({}, 'w');
    log.info({}, 'i');
    log.debug({}, 'd');
  };
  assert.deepEqual(
    LOG_LEVELS.map((level) => lines(level, all).length),
    [0, 1, 2, 3, 4, 4],
  );
});

test('characters that a terminal obeys or that break lines are written as numbers, in texts and fields', () => {
  const evil = '\u001b[31m\r\u007f\u0085\u009b\u2028\u202e';
  const texts = (['text', 'json'] as const).map((format) => {
    const lines: string[] = [];
    const log = processLog({ level: 'info', format, sink: { write: (text) => lines.push(text) } });
    log.info({ client: evil }, `said ${evil}`);
    return lines.join('');
  });
  for (const text of texts) {
    assert.equal(text.split('\n').length, 2);
    assert.match(text.slice(0, -1), /^[\x20-\x7e]+$/);
  }
  assert.ok(texts[0]?.includes('said \\u001b[31m\\u000d\\u007f\\u0085\\u009b\\u2028\\u202e'));
  assert.deepEqual(JSON.parse(texts[1] ?? '').client, evil);
});

test('details are for programs: they stand beside the other fields in JSON, and not in the text', () => {
  const write = (format: 'text' | 'json') => {
    const lines: string[] = [];
    const log = processLog({ level: 'info', format, sink: { write: (text) => lines.push(text) } });
    log.warn({ session: 'abc', details: { event: 'sync', kind: 'normal' } }, 'ann: synced');
    log.error({ err: new Error('disk is gone') }, 'failed');
    return lines;
  };
  assert.match(write('text')[0] ?? '', /^\S+ WARN {2}ann: synced session="abc"\n$/);
  const [sync, error] = write('json').map((line) => JSON.parse(line));
  const { time: _, ...entry } = sync;
  assert.deepEqual(entry, { level: 'warn', event: 'sync', kind: 'normal', session: 'abc', msg: 'ann: synced' });
  assert.equal(error.error, 'disk is gone');
  assert.match(error.stack, /^Error: disk is gone\n/);
  assert.equal('err' in error, false);
});
