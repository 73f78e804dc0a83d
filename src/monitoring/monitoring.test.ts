import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../log.ts';
import { userFolder } from '../user-folder.ts';
import { Monitoring } from './monitoring.ts';
import type { RequestOver } from './request-over.ts';

const idle = { activeLanes: 0, waitingMessages: 0, longestMs: 0, heavyJobs: 0, threads: [] };

test('without metrics their library is not even loaded', () => {
  const script = `
    import { createRequire } from 'node:module';
    const { Monitoring } = await import('./monitoring.ts');
    const log = { error() {}, warn() {}, info() {}, debug() {} };
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('prom-client'));
    const off = await Monitoring.start({ wantsMetrics: false, version: '1', log });
    const before = loaded();
    await Monitoring.start({ wantsMetrics: true, version: '1', log });
    console.log(off.log === log, before, loaded());
    process.exit();
  `;
  const options = { cwd: path.dirname(import.meta.filename), encoding: 'utf8' } as const;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], options);
  assert.equal(stdout, 'true false true\n', stderr);
});

test('a user who is removed is gone from the metrics with the next look', async () => {
  const monitoring = await Monitoring.start({ wantsMetrics: true, version: '1', log: silentLog });
  const folders = ['ann', 'bob'].map((name) => userFolder(import.meta.dirname, name));
  const state = async () => idle;
  const mediaTotals = async () => ({ files: 0, bytes: 0 });
  monitoring.watch({ state, mediaTotals, users: () => folders, folder: import.meta.dirname });
  const usersIn = async () =>
    [...((await monitoring.metrics?.text()) ?? '').matchAll(/anki_sync_backups\{user="(\w+)"/g)].map(
      ([, user]) => user,
    );
  assert.deepEqual(await usersIn(), ['ann', 'bob']);
  folders.pop();
  assert.deepEqual(await usersIn(), ['ann']);
  monitoring.close();
});

test('logins are told apart by how they ended', async () => {
  const monitoring = await Monitoring.start({ wantsMetrics: true, version: '1', log: silentLog });
  for (const status of [200, 403, 403, 429, 500])
    monitoring.observeRequest({ ...request('/sync/hostKey'), method: 'hostKey', status });
  const text = (await monitoring.metrics?.text()) ?? '';
  const counts = [...text.matchAll(/^anki_sync_logins_total\{result="(\w+)"\} (\d+)$/gm)].map(
    ([, result, n]) => `${result} ${n}`,
  );
  assert.deepEqual(counts, ['accepted 1', 'wrong 2', 'throttled 1', 'failed 1']);
  monitoring.close();
});

test('addresses that strangers ask for make no series of their own', async () => {
  const monitoring = await Monitoring.start({ wantsMetrics: true, version: '1', log: silentLog });
  const lines = async () =>
    ((await monitoring.metrics?.text()) ?? '').split('\n').filter((line) => /^anki/.test(line)).length;
  const ask = (path: string) => monitoring.observeRequest(request(path));
  ask('/first');
  const before = await lines();
  for (let n = 0; n < 100; n++) ask(`/${n}`);
  assert.equal(await lines(), before);
  monitoring.close();
});

function request(path: string): RequestOver {
  return {
    method: undefined,
    path,
    user: undefined,
    sessionKey: '',
    client: path,
    status: 404,
    elapsedMs: 1,
    bytesIn: 1,
    bytesOut: 1,
    isComplete: true,
    failure: undefined,
    report: undefined,
  };
}
