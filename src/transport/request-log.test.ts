import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { Log, LogFields } from '../log.ts';
import type { RequestOver } from '../monitoring/request-over.ts';
import { slowAnswerMsMin } from './http-limits.ts';
import { RequestLog } from './request-log.ts';

interface Line {
  readonly level: string;
  readonly text: string;
  readonly fields: LogFields;
}

/** A request, and what was told when it was over. */
function request(target: string, response: { readonly statusCode: number; readonly writableFinished?: boolean }) {
  const lines: Line[] = [];
  const overs: RequestOver[] = [];
  const at = (level: string) => (fields: LogFields, text: string) => void lines.push({ level, text, fields });
  const log: Log = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
  const requestLog = new RequestLog({ log, observeRequest: (over) => overs.push(over) }, target);
  const socket = { bytesRead: 100, bytesWritten: 200 };
  const emitter = Object.assign(new EventEmitter(), { headersSent: true, writableFinished: true, socket, ...response });
  requestLog.writeAfter(emitter as unknown as ServerResponse); // The part of it that is looked at.
  return { requestLog, lines, overs, close: () => void emitter.emit('close') };
}

const toldOf = (lines: readonly Line[]) => lines.map(({ level, text }) => `${level} ${text}`);

test('one line tells who asked for what, and how it ended', () => {
  const { requestLog, lines, overs, close } = request('/sync/meta?k=secret', { statusCode: 200 });
  requestLog.asksFor('meta');
  requestLog.identify({ sessionKey: 'abc', clientVersion: '26.09,x,linux' });
  requestLog.identify({ user: 'ann', deviceId: 3 });
  close();
  const [line, ...more] = lines;
  assert.equal(more.length, 0);
  const { elap_ms: _, ...fields } = line?.fields ?? {};
  assert.deepEqual(fields, {
    uri: '/sync/meta',
    session: 'abc',
    client: '26.09,x,linux',
    uid: 'ann',
    device: 3,
    httpstatus: 200,
    bytes_in: 100,
    bytes_out: 200,
    details: { event: 'request' },
  });
  const { method, user, sessionKey, status, bytesIn, bytesOut } = overs[0] ?? {};
  assert.deepEqual([method, user, sessionKey, status, bytesIn, bytesOut], ['meta', 'ann', 'abc', 200, 100, 200]);
});

test('the word at the beginning tells whose fault it was', () => {
  const outcomes: Record<string, string[]> = {};
  const told = (
    name: string,
    target: string,
    ending: { statusCode: number; writableFinished?: boolean },
    step: (log: RequestLog) => void,
  ) => {
    const { requestLog, lines, close } = request(target, ending);
    step(requestLog);
    close();
    outcomes[name] = toldOf(lines);
  };
  told('done', '/sync/meta', { statusCode: 200 }, () => {});
  told('fault', '/sync/meta', { statusCode: 500 }, (log) => log.fail('the disk is full', true));
  told('refusal', '/sync/meta', { statusCode: 409 }, (log) => log.fail('another sync is active', false));
  told('refusal in words', '/sync/upload', { statusCode: 200 }, (log) => log.answered({ refusal: 'too large' }, 1));
  told('gone', '/sync/meta', { statusCode: 200, writableFinished: false }, () => {});
  told('probe', '/ready', { statusCode: 503 }, () => {});
  told('late', '/sync/meta', { statusCode: 200 }, (log) => log.answered(undefined, slowAnswerMsMin));
  told('in time', '/sync/meta', { statusCode: 200 }, (log) => log.answered(undefined, slowAnswerMsMin - 1));
  assert.deepEqual(outcomes, {
    done: ['info finished'],
    fault: ['error failed'],
    refusal: ['info refused'],
    'refusal in words': ['info refused'],
    gone: ['info cut off'],
    probe: ['debug finished'],
    late: ['warn finished late'],
    'in time': ['info finished'],
  });
});

test('a request that is still worked on when its client is gone is told at its end', () => {
  const { requestLog, lines, close } = request('/sync/upload', { statusCode: 200, writableFinished: false });
  {
    using _ = requestLog.hold();
    close();
    assert.deepEqual(lines, []);
    requestLog.fail('The client closed the connection', false);
  }
  assert.deepEqual(toldOf(lines), ['info cut off']);
});
