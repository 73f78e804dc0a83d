import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { CALLS_OF_ERROR, Faults } from '../support/faults/faults.ts';
import { skipWithoutFaults } from '../support/faults/faults-library.ts';
import { newSessionKey } from '../support/raw-client.ts';
import { type Server, startServer } from '../support/server.ts';
import { lineOf } from './log-reader.ts';

interface Readiness {
  readonly status: number;
  readonly text: string;
}

async function ready(url: string): Promise<Readiness> {
  const reply = await fetch(new URL('/ready', url));
  return { status: reply.status, text: await reply.text() };
}

/** Asks until the answer has this status. */
async function becomes(url: string, status: number): Promise<string> {
  for (const endsMs = Date.now() + 20_000; ; await sleep(100)) {
    const reply = await ready(url);
    if (reply.status === status) return reply.text;
    assert.ok(Date.now() < endsMs, `${reply.status} ${reply.text}`);
  }
}

function healthy(server: Server): Promise<boolean> {
  return fetch(new URL('/health', server.url)).then(({ ok }) => ok);
}

test('a server in order is ready, and asking often costs nothing', async () => {
  await using server = await startServer({ kind: 'ours' });
  assert.deepEqual(await ready(server.url), { status: 200, text: 'ready\n' });
  const startedMs = performance.now();
  const replies = await Promise.all(Array.from({ length: 200 }, () => ready(server.url)));
  assert.ok(replies.every(({ status }) => status === 200));
  assert.ok(performance.now() - startedMs < 5_000);
});

test('a server with a stuck thread lives but is not ready, and is again when the thread goes on', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stuck-'));
  const file = path.join(folder, 'stuck');
  const preload = pathToFileURL(path.join(import.meta.dirname, 'stuck-thread.mjs'));
  const env = { NODE_OPTIONS: `--import=${preload}`, TEST_STUCK_FILE: file };
  try {
    await using server = await startServer({ kind: 'ours', env });
    assert.equal((await ready(server.url)).status, 200);
    writeFileSync(file, '');
    assert.match(await becomes(server.url, 503), /^1 of 1 threads for collections did not answer within 3 s\.\n$/);
    assert.equal(await healthy(server), true);
    await lineOf(server, /WARN +Not ready: .*reason="1 of 1 threads/);
    rmSync(file);
    assert.equal(await becomes(server.url, 200), 'ready\n');
    await lineOf(server, /INFO +Ready again/);
    assert.equal((await server.rawClient().meta()).cont, true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a server whose data folder cannot be written is not ready; the answer names no path', {
  skip: skipWithoutFaults(),
}, async () => {
  const base = mkdtempSync(path.join(tmpdir(), 'read-only-'));
  using faults = new Faults(base);
  try {
    await using server = await startServer({ kind: 'ours', base, env: faults.environment });
    assert.equal((await ready(server.url)).status, 200);
    faults.arm({ mode: 'fail from', at: 1, calls: CALLS_OF_ERROR.EROFS, error: 'EROFS' });
    assert.equal(await becomes(server.url, 503), 'The data folder cannot be written: EROFS.\n');
    faults.disarm();
    assert.equal(await becomes(server.url, 200), 'ready\n');
    faults.arm({ mode: 'fail from', at: 1, calls: CALLS_OF_ERROR.ENOSPC, error: 'ENOSPC' });
    assert.equal(await becomes(server.url, 503), 'The data folder cannot be written: ENOSPC.\n');
    faults.disarm();
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});

test('a server that stops says so to the monitoring until its end', async () => {
  await using server = await startServer({ kind: 'ours', env: { SYNC_METRICS_PORT: '0' } });
  const line = await lineOf(server, /Metrics can be read/);
  const monitoring = `http://${/addr="([^"]+)"/.exec(line)?.[1]}/`;
  assert.equal((await ready(monitoring)).status, 200);
  // An upload that never ends holds the stop up.
  const headers = {
    'anki-sync': JSON.stringify({ v: 11, k: server.hostKey(server.users[0] ?? ''), c: 'x', s: newSessionKey() }),
  };
  const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('28b52ffd', 'hex')) });
  const upload = fetch(new URL('sync/upload', server.url), {
    method: 'POST',
    headers,
    body,
    duplex: 'half',
  } as RequestInit);
  upload.catch(() => {});
  await sleep(200);
  const stopped = server.kill('SIGTERM');
  assert.equal(await becomes(monitoring, 503), 'The server is stopping.\n');
  await stopped;
  await assert.rejects(ready(monitoring));
});
