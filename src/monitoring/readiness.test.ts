import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../log.ts';
import { freeBytesMin, laneBusyMsMax, problemsOfSpace, problemsOfWork, Readiness } from './readiness.ts';

const open = { collections: 0, mediaIndexes: 0, syncs: 0 };

test('a thread that does not answer, and a message without end, are problems', () => {
  assert.deepEqual(problemsOfWork({ threads: [], longestMs: 0 }), []);
  assert.deepEqual(problemsOfWork({ threads: [open, open], longestMs: laneBusyMsMax }), []);
  assert.deepEqual(problemsOfWork({ threads: [open, undefined], longestMs: laneBusyMsMax + 1 }), [
    '1 of 2 threads for collections did not answer within 3 s.',
    'A message has been worked on for 300 s.',
  ]);
});

test('a disk without room is a problem', () => {
  assert.deepEqual(problemsOfSpace(freeBytesMin), []);
  assert.deepEqual(problemsOfSpace(1_000_000), ['The disk of the data folder is nearly full: 1.0 MB are free.']);
});

test('it is looked once for all who ask within a second, and nothing is left behind', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'readiness-'));
  try {
    let looks = 0;
    const state = async () => {
      looks += 1;
      return { activeLanes: 0, waitingMessages: 0, longestMs: 0, heavyJobs: 0, threads: [open] };
    };
    const readiness = new Readiness({ folder, state, log: silentLog });
    assert.deepEqual(await Promise.all([readiness.problems(), readiness.problems()]), [[], []]);
    assert.deepEqual(await readiness.problems(), []);
    assert.equal(looks, 1);
    assert.deepEqual(readdirSync(folder), []);
    readiness.stop();
    assert.deepEqual(await readiness.problems(), ['The server is stopping.']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a folder that is gone is a problem without its name', async () => {
  const folder = path.join(tmpdir(), 'there-is-no-such-folder');
  const state = async () => ({ activeLanes: 0, waitingMessages: 0, longestMs: 0, heavyJobs: 0, threads: [] });
  const readiness = new Readiness({ folder, state, log: silentLog });
  assert.deepEqual(await readiness.problems(), ['The data folder cannot be written: ENOENT.']);
});
