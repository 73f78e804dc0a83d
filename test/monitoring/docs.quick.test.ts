import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { METRIC_LIST } from '../../src/monitoring/metric-list.ts';
import { SYNC_RESULTS } from '../../src/monitoring/sync-outcome.ts';
import { startServer } from '../support/server.ts';
import { lineOf } from './log-reader.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const page = readFileSync(path.join(ROOT, 'docs/monitoring.md'), 'utf8');

test('the page about monitoring has a row for each metric, in the words of the program, and no other', () => {
  const rows = METRIC_LIST.map(({ name, type, help, labels = [] }) => {
    const names = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${names === '' ? '–' : names} | ${help} |`;
  });
  const shown = page.split('\n').filter((line) => line.startsWith('| `anki_sync_'));
  assert.deepEqual(shown, rows);
});

test('the page about monitoring names each result of a sync, and each alert', () => {
  for (const result of SYNC_RESULTS) assert.ok(page.includes(`\`${result.replaceAll(' ', '_')}\``), result);
  const alerts = [...readFileSync(path.join(ROOT, 'monitoring/alerts.yml'), 'utf8').matchAll(/- alert: (\w+)/g)];
  const shown = [...page.matchAll(/^\| `(AnkiSync\w+)` \|/gm)];
  assert.deepEqual(
    shown.map(([, name]) => name),
    alerts.map(([, name]) => name),
  );
});

/** The curl commands of the page, as address and headers. */
function commandsIn(text: string): { readonly url: string; readonly authorization: string | undefined }[] {
  const commands = [...text.matchAll(/^curl .*$/gm)].map(([command]) => command);
  return commands.map((command) => ({
    url: /(https?:\/\/\S+)$/.exec(command)?.[1] ?? '',
    authorization: /-H "Authorization: ([^"]*)"/.exec(command)?.[1],
  }));
}

test('the commands of the page get what the page says', async () => {
  const token = 'a-token-of-24-characters';
  await using open = await startServer({ kind: 'ours', env: { SYNC_METRICS_PORT: '0' } });
  await using guarded = await startServer({ kind: 'ours', env: { SYNC_METRICS_TOKEN: token } });
  const listener = /addr="([^"]+)"/.exec(await lineOf(open, /Metrics can be read/))?.[1];
  const places: Readonly<Record<string, string>> = {
    'http://127.0.0.1:8080/': open.url,
    'http://127.0.0.1:9464/': `http://${listener}/`,
    'https://sync.example.org/': guarded.url,
  };
  const commands = commandsIn(page);
  assert.equal(commands.length, 3);
  for (const { url, authorization } of commands) {
    const { origin, pathname } = new URL(url);
    const headers = authorization === undefined ? {} : { authorization: authorization.replace(/\$\(.*\)/, token) };
    const reply = await fetch(new URL(pathname, places[`${origin}/`]), { headers });
    assert.equal(reply.status, 200, url);
    assert.match(await reply.text(), pathname === '/ready' ? /^ready\n$/ : /^anki_sync_users 1$/m);
  }
});
