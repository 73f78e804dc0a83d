import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { METRIC_LIST } from '../../src/monitoring/metric-list.ts';
import { uploadFile } from '../safety/script.ts';
import { SyncDevice } from '../safety/sync-device.ts';
import { newSessionKey } from '../support/raw-client.ts';
import { type Server, startServer } from '../support/server.ts';
import { lineOf } from './log-reader.ts';
import { preparePromtool } from './promtool.ts';

const folder = path.join(import.meta.dirname, '../../monitoring');
const token = 'correct horse battery staple'.replaceAll(' ', '-');
let server: Server;
/** What the server told after syncs of all kinds. */
let scraped = '';

const scrape = (bearer = token) =>
  fetch(new URL('metrics', server.url), { headers: { authorization: `Bearer ${bearer}` } });

before(async () => {
  const env = { SYNC_METRICS_TOKEN: token };
  server = await startServer({ kind: 'ours', users: ['ann', 'bob'], passwords: 'plain', env });
  const file = await uploadFile('fresh-empty.anki2');
  const device = new SyncDevice(server.rawClient('ann'));
  await device.upload(file.bytes, file.state);
  await device.sync({ noteIds: [1_500_000_000_001, 1_500_000_000_002] });
  await device.sendMedia([
    ['a.jpg', 'first'],
    ['b.jpg', 'second'],
  ]);
  await device.client.call('msync/mediaSanity', { local: 2 });
  await device.download();
  const { client } = device;
  await client.login('ann', server.password('ann'));
  await assert.rejects(client.login('ann', 'a wrong password'), { status: 403 });
  await fetch(new URL('no/such/address', server.url));
  const header = { v: 11, k: server.hostKey('bob'), c: 'evil"} 1\nfake_metric 1', s: newSessionKey() };
  await client.post('sync/meta', '{"v":11,"cv":"evil"}', { header: JSON.stringify(header) });
  await lineOf(server, /Made a backup user="ann"/);
  scraped = await (await scrape()).text();
});
after(() => server[Symbol.asyncDispose]());

/** The value of a series, without the order of its labels. */
function seriesValue(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const series = scraped.split('\n').find((line) => {
    const [, found, inner = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    return found === name && pairs.every((pair) => inner.split(',').includes(pair));
  });
  return series === undefined ? undefined : Number(series.split(' ').at(-1));
}

test('the numbers are those of what was done', () => {
  const counted = {
    uploads: seriesValue('anki_sync_syncs_total', { kind: 'upload', result: 'done' }),
    normal: seriesValue('anki_sync_syncs_total', { kind: 'normal', result: 'done' }),
    media: seriesValue('anki_sync_syncs_total', { kind: 'media', result: 'done' }),
    downloads: seriesValue('anki_sync_syncs_total', { kind: 'download', result: 'done' }),
    failed: seriesValue('anki_sync_syncs_total', { kind: 'normal', result: 'failed' }),
    notesSent: seriesValue('anki_sync_objects_total', { direction: 'sent', type: 'notes' }),
    mediaSent: seriesValue('anki_sync_media_files_total', { direction: 'sent' }),
    starts: seriesValue('anki_sync_requests_total', { message: 'start', status: '200' }),
    startSeconds: seriesValue('anki_sync_request_seconds_count', { message: 'start' }),
    strangers: seriesValue('anki_sync_requests_total', { message: 'other', status: '404' }),
    accepted: seriesValue('anki_sync_logins_total', { result: 'accepted' }),
    wrong: seriesValue('anki_sync_logins_total', { result: 'wrong' }),
    users: seriesValue('anki_sync_users'),
    ready: seriesValue('anki_sync_ready'),
    mediaFiles: seriesValue('anki_sync_media_files', { user: 'ann' }),
    mediaBytes: seriesValue('anki_sync_media_bytes', { user: 'ann' }),
    backups: seriesValue('anki_sync_backups', { user: 'ann' }),
    bobsBackups: seriesValue('anki_sync_backups', { user: 'bob' }),
    stuck: seriesValue('anki_sync_collection_threads', { state: 'stuck' }),
  };
  assert.deepEqual(counted, {
    uploads: 1,
    normal: 1,
    media: 1,
    downloads: 1,
    failed: 0,
    notesSent: 2,
    mediaSent: 2,
    starts: 1,
    startSeconds: 1,
    strangers: 1,
    accepted: 1,
    wrong: 1,
    users: 2,
    ready: 1,
    mediaFiles: 2,
    mediaBytes: 'first'.length + 'second'.length,
    backups: 1,
    bobsBackups: 0,
    stuck: 0,
  });
});

test('times and sizes are those of the disk', () => {
  const nowSecs = Date.now() / 1000;
  const recent = (value: number | undefined) => value !== undefined && value <= nowSecs && value > nowSecs - 600;
  assert.ok(recent(seriesValue('anki_sync_last_sync_timestamp_seconds', { user: 'ann' })));
  assert.ok(recent(seriesValue('anki_sync_newest_backup_timestamp_seconds', { user: 'ann' })));
  assert.equal(seriesValue('anki_sync_newest_backup_timestamp_seconds', { user: 'bob' }), undefined);
  const backups = path.join(server.base, 'ann/backups');
  const bytes = readdirSync(backups).map((name) => statSync(path.join(backups, name)).size);
  assert.equal(seriesValue('anki_sync_backup_bytes', { user: 'ann' }), bytes[0]);
  assert.ok(Number(seriesValue('anki_sync_disk_free_bytes')) <= Number(seriesValue('anki_sync_disk_size_bytes')));
  assert.ok(Number(seriesValue('anki_sync_collection_bytes', { user: 'ann' })) > 100_000);
  assert.ok(Number(seriesValue('anki_sync_open_collections')) >= 1);
});

test('every metric is there, described, and nothing is there beside those of the process', () => {
  const told = [...scraped.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const ours = told.filter((each) => each.startsWith('anki_sync_'));
  assert.deepEqual(ours.toSorted(), METRIC_LIST.map(({ name, type }) => `${name} ${type}`).toSorted());
  assert.ok(told.filter((each) => !/^(?:anki_sync|process|nodejs)_/.test(each)).length === 0, told.join('\n'));
});

test('no label holds anything from outside, and no secret', () => {
  for (const secret of [token, server.password('ann'), server.hostKey('ann'), 'evil', 'fake_metric', 'such']) {
    assert.ok(!scraped.includes(secret), secret);
  }
  const users = new Set([...scraped.matchAll(/user="([^"]*)"/g)].map(([, user]) => user));
  assert.deepEqual([...users].sort(), ['ann', 'bob']);
});

test('who has not the whole token gets nothing', async () => {
  for (const wrong of ['', token.slice(1), `${token}x`, token.toUpperCase()]) {
    const reply = await scrape(wrong);
    assert.equal(reply.status, 401, wrong);
    assert.ok(!(await reply.text()).includes('anki_sync'));
  }
  assert.equal((await fetch(new URL('metrics', server.url))).status, 401);
  const line = await lineOf(server, /refused uri="\/metrics"/);
  assert.ok(line.includes('context="The token for metrics is missing or wrong"'));
  assert.ok(!server.log.includes(token.slice(1)));
});

test('probes leave no line in the log', async () => {
  for (const probe of ['health', 'ready']) assert.equal((await fetch(new URL(probe, server.url))).status, 200);
  assert.equal((await scrape()).status, 200);
  const lines = server.log.split('\n').filter((line) => /uri="\/(?:health|ready|metrics)"/.test(line));
  assert.ok(
    lines.every((line) => line.includes('httpstatus=401')),
    lines.join('\n'),
  );
});

/** Names of metrics in an expression: words that are no function, label or keyword. */
function metricsIn(expression: string): string[] {
  return [...expression.matchAll(/\b(?:anki_sync|process|nodejs|up)(?:_\w+)?\b/g)].map(([name]) => name);
}

test('dashboard and alerts ask for metrics that exist', () => {
  const dashboard = JSON.parse(readFileSync(path.join(folder, 'grafana-dashboard.json'), 'utf8'));
  const inDashboard: string[] = [];
  JSON.stringify(dashboard, (key, value) => {
    if (key === 'expr' || key === 'query') inDashboard.push(...metricsIn(String(value)));
    return value;
  });
  const inAlerts = metricsIn(readFileSync(path.join(folder, 'alerts.yml'), 'utf8').replaceAll(/job="[^"]*"/g, ''));
  assert.ok(inDashboard.length > 40 && inAlerts.length > 15, `${inDashboard.length}, ${inAlerts.length}`);
  const told = new Set(
    [...scraped.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    ),
  );
  told.add('up'); // Of Prometheus itself.
  assert.deepEqual(
    [...new Set([...inDashboard, ...inAlerts])].filter((name) => !told.has(name)),
    [],
  );
});

test('promtool finds nothing wrong with metrics, alerts and configuration, and the alerts fire when they should', async (context) => {
  const promtool = await preparePromtool();
  if (promtool.kind === 'missing') return context.skip(promtool.reason);
  const check = (args: readonly string[], input = '') => {
    const { status, stdout, stderr } = spawnSync(promtool.program, args, { input, encoding: 'utf8' });
    assert.equal(status, 0, `promtool ${args.join(' ')}:\n${stdout}${stderr}`);
  };
  check(['check', 'metrics'], scraped.replaceAll(/^(?:# \w+ )?(?:nodejs|process)_.*\n/gm, ''));
  check(['check', 'rules', path.join(folder, 'alerts.yml')]);
  check(['check', 'config', path.join(folder, 'prometheus.yml')]);
  check(['test', 'rules', path.join(import.meta.dirname, 'alerts.test.yml')]);
});

test('every expression of the dashboard is one that Prometheus can read', async (context) => {
  const promtool = await preparePromtool();
  if (promtool.kind === 'missing') return context.skip(promtool.reason);
  const dashboard = JSON.parse(readFileSync(path.join(folder, 'grafana-dashboard.json'), 'utf8'));
  const rules: string[] = [];
  JSON.stringify(dashboard, (key, value) => {
    if (key === 'expr') rules.push(`      - record: panel\n        expr: ${JSON.stringify(value)}`);
    return value;
  });
  assert.ok(rules.length > 30);
  const temporary = mkdtempSync(path.join(tmpdir(), 'dashboard-'));
  try {
    const file = path.join(temporary, 'rules.yml');
    writeFileSync(file, `groups:\n  - name: dashboard\n    rules:\n${rules.join('\n')}\n`);
    const checked = spawnSync(promtool.program, ['check', 'rules', '--lint=none', file], { encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  } finally {
    rmSync(temporary, { recursive: true });
  }
});

test('metrics are off unless they are asked for', async () => {
  await using plain = await startServer({ kind: 'ours' });
  assert.equal((await fetch(new URL('metrics', plain.url))).status, 404);
});

test('the token can come from a file, and a listener for monitoring asks for it too', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'token-'));
  try {
    const file = path.join(home, 'token');
    writeFileSync(file, `${token}\n`);
    await using own = await startServer({
      kind: 'ours',
      env: { SYNC_METRICS_TOKEN_FILE: file, SYNC_METRICS_PORT: '0' },
    });
    const address = `http://${/addr="([^"]+)"/.exec(await lineOf(own, /Metrics can be read/))?.[1]}/metrics`;
    const status = async (headers: Record<string, string>) => (await fetch(address, { headers })).status;
    assert.deepEqual([await status({}), await status({ authorization: `Bearer ${token}` })], [401, 200]);
  } finally {
    rmSync(home, { recursive: true });
  }
});

test('a listener for monitoring has health, readiness and metrics, and nothing else', async () => {
  await using own = await startServer({ kind: 'ours', users: ['ann'], env: { SYNC_METRICS_PORT: '0' } });
  const line = await lineOf(own, /Metrics can be read/);
  const address = `http://${/addr="([^"]+)"/.exec(line)?.[1]}`;
  const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;
  assert.deepEqual(
    [await status(`${address}/metrics`), await status(`${address}/ready`), await status(`${address}/health`)],
    [200, 200, 200],
  );
  assert.equal(await status(`${address}/sync/meta`, { method: 'POST' }), 404);
  assert.equal(await status(new URL('metrics', own.url).href), 404);
});
