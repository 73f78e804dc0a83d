import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log, LogFields } from '../log.ts';
import { nothingMoved } from '../protocol/report.ts';
import { MediaSyncs } from './media-syncs.ts';
import type { RequestOver } from './request-over.ts';
import { endOf, SyncJournal } from './sync-journal.ts';
import type { SyncOutcome } from './sync-outcome.ts';

const over: RequestOver = {
  method: 'uploadChanges',
  path: '/msync/uploadChanges',
  user: 'ann',
  sessionKey: 'phone',
  client: '26.09.3,x,linux',
  status: 200,
  elapsedMs: 100,
  bytesIn: 1,
  bytesOut: 1,
  isComplete: true,
  failure: undefined,
  report: undefined,
};
const sentOne = { ...nothingMoved, filesSent: 1, bytesSent: 10 };

/** A journal that keeps what it was told. */
function journal() {
  const outcomes: SyncOutcome[] = [];
  const lines: { readonly level: string; readonly text: string; readonly fields: LogFields }[] = [];
  const at = (level: string) => (fields: LogFields, text: string) => void lines.push({ level, text, fields });
  const log: Log = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
  return { journal: new SyncJournal(log, (outcome) => outcomes.push(outcome)), outcomes, lines };
}

/** Media syncs with a clock that stands still until it is moved. */
function mediaSyncs() {
  const outcomes: SyncOutcome[] = [];
  const clock = { nowMs: 1_000_000 };
  const syncs = new MediaSyncs(
    (outcome) => outcomes.push(outcome),
    () => clock.nowMs,
  );
  return { syncs, clock, outcomes };
}

test('how a request ended is told from its status, its failure and its report', () => {
  const why = 'the disk is full';
  const ends: readonly (readonly [Partial<RequestOver>, string | undefined])[] = [
    [{}, undefined],
    [{ report: { refusal: 'too old' } }, 'refused'],
    [{ status: 500, failure: { why, isFault: true } }, 'failed'],
    [{ status: 409, failure: { why, isFault: false } }, 'conflict'],
    [{ status: 400, failure: { why, isFault: false } }, 'refused'],
    [{ status: 0, isComplete: false, failure: { why, isFault: false } }, 'cut off'],
    [{ isComplete: false }, 'cut off'],
  ];
  for (const [part, result] of ends) assert.equal(endOf({ ...over, ...part })?.result, result, JSON.stringify(part));
});

test('a fault of the server is a warning with its cause as a field of its own', () => {
  const { journal: it, lines } = journal();
  it.requestOver({ ...over, method: 'download', status: 500, failure: { why: 'ENOSPC "x"', isFault: true } });
  assert.deepEqual(
    lines.map(({ level, text, fields }) => [level, text, fields['reason']]),
    [
      [
        'warn',
        'ann: desktop 26.09.3 on linux did not download the whole collection, because download failed',
        'ENOSPC "x"',
      ],
    ],
  );
});

test('an upload that was stored is done, even if its device did not hear of it', () => {
  const { journal: it, outcomes } = journal();
  const collection = { notes: 1, cards: 2, reviews: 3, bytes: 4 };
  const failure = { why: 'The client closed the connection', isFault: false };
  it.requestOver({ ...over, method: 'upload', isComplete: false, failure, report: { collection } });
  it.requestOver({ ...over, method: 'download', isComplete: false, failure, report: { collection } });
  assert.deepEqual(
    outcomes.map(({ kind, result }) => [kind, result]),
    [
      ['upload', 'done'],
      ['download', 'cut off'],
    ],
  );
});

test('strangers and requests that are no sync messages make no line', () => {
  const { journal: it, lines } = journal();
  it.requestOver({ ...over, user: undefined, status: 403, failure: { why: 'unknown', isFault: false } });
  it.requestOver({ ...over, method: undefined });
  it.requestOver({ ...over, method: 'meta' });
  it.requestOver({ ...over, method: 'start', status: 409, failure: { why: 'told by the thread', isFault: false } });
  assert.deepEqual(lines, []);
});

test('media syncs of several devices are added up apart from each other', () => {
  const { syncs, outcomes } = mediaSyncs();
  syncs.add(over, 'ann', sentOne);
  syncs.add({ ...over, sessionKey: 'laptop' }, 'ann', sentOne);
  syncs.add(over, 'bob', sentOne);
  syncs.add(over, 'ann', { ...sentOne, filesGot: 2, bytesGot: 5 });
  syncs.add(over, 'ann', { ...nothingMoved, isOver: 'equal' });
  assert.deepEqual(
    outcomes.map(({ user, sessionKey, result, media }) => ({ user, sessionKey, result, media })),
    [
      {
        user: 'ann',
        sessionKey: 'phone',
        result: 'done',
        media: { filesSent: 2, bytesSent: 20, filesDeleted: 0, filesGot: 2, bytesGot: 5 },
      },
    ],
  );
  syncs.close();
  assert.equal(outcomes.length, 3);
});

test('a media sync of which nothing is heard for five minutes is given up', () => {
  const { syncs, clock, outcomes } = mediaSyncs();
  syncs.add(over, 'ann', sentOne);
  clock.nowMs += 5 * 60_000;
  syncs.sweep();
  assert.deepEqual(outcomes, []);
  clock.nowMs += 1;
  syncs.sweep();
  assert.deepEqual(
    outcomes.map(({ result, elapsedMs }) => [result, elapsedMs]),
    [['silent', 100]],
  );
  syncs.close();
  assert.equal(outcomes.length, 1);
});

test('however many media syncs are begun, a bounded number is remembered, and none goes untold', () => {
  const { syncs, outcomes } = mediaSyncs();
  for (let n = 0; n < 5_000; n++) syncs.add({ ...over, sessionKey: `session ${n}` }, 'ann', sentOne);
  assert.equal(outcomes.length, 4_000);
  syncs.close();
  assert.equal(outcomes.length, 5_000);
});

test('older clients say who they are in begin only', () => {
  const { journal: it, lines } = journal();
  const legacy = { ...over, sessionKey: '', client: '' };
  it.requestOver({ ...legacy, method: 'begin', client: 'ankidroid,2.15.6,' });
  it.requestOver({ ...legacy, report: { media: { ...sentOne, isOver: 'equal' } } });
  assert.deepEqual(
    lines.map(({ text }) => text),
    ['ann: AnkiDroid 2.15.6 synced media: sent 1 file, 10 bytes, 0.1 s'],
  );
});
