import assert from 'node:assert/strict';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { databaseContent, withoutCollation } from '../exchanges/collection-content.ts';
import { differences } from '../exchanges/differences.ts';
import type { RawClient } from '../support/raw-client.ts';
import { type Server, serverUnderTest, startServer } from '../support/server.ts';
import { makeLargeCollection } from './large-collection.ts';

const collectionBytes = 300_000_000;
const peakBytesMax = 250_000_000;
/** A bystander's `meta`: far above what is seen on an idle machine, so that a busy one does not fail. The official server takes seconds. */
const bystanderMsMax = 1_000;
const bystanderIntervalMs = 20;
const streamChunkBytes = 256 * 1024;
/** Compared row by row within SQLite; all others are small enough to be read whole. */
const largeTables = ['notes', 'cards', 'revlog'];

const skip =
  process.platform !== 'linux'
    ? 'the peak memory of a process is read from /proc'
    : serverUnderTest === 'official' && 'the official server holds bodies in memory, and everybody waits meanwhile';

test('a collection of 300 MB goes up and down in little memory while other users are served at once', {
  skip,
}, async (t) => {
  const work = mkdtempSync(path.join(tmpdir(), 'large-collection-'));
  try {
    const [sent, received] = [path.join(work, 'sent.anki2'), path.join(work, 'received.anki2')];
    makeLargeCollection(sent, collectionBytes);
    await using server = await startServer({ users: 2, env: { MAX_SYNC_PAYLOAD_MEGS: '200' } });
    const [user, bystander] = server.users.map((name) => server.rawClient(name));
    if (user === undefined || bystander === undefined) throw new Error('two users');

    await bystander.meta(); // A new account takes a moment, once.
    const bystanding = bystand(bystander);
    const uploadMs = await timed(async () => assert.equal(await upload(user, sent), 'OK'));
    const downloadMs = await timed(() => download(user, received));
    const delays = await bystanding.end();

    const peak = peakBytes(server);
    t.diagnostic(`${megs(statSync(sent).size)} up in ${uploadMs} ms, down in ${downloadMs} ms`);
    t.diagnostic(`peak memory of the server ${megs(peak)}`);
    t.diagnostic(
      `another user's meta: ${delays.length} times, median ${at(delays, 0.5)} ms, p99 ${at(delays, 0.99)} ms`,
    );
    assert.deepEqual(compareCollections(sent, received), []);
    assert.ok(peak < peakBytesMax, `the server's memory peaked at ${megs(peak)}`);
    assert.ok(at(delays, 0.99) < bystanderMsMax, `another user waited ${at(delays, 0.99)} ms`);
  } finally {
    rmSync(work, { recursive: true });
  }
});

/** Sends the file as a modern client does: one zstd frame, chunked. Returns the server's word. */
async function upload(client: RawClient, file: string): Promise<string> {
  const { outgoing, answered } = request(client, 'sync/upload');
  const source = createReadStream(file, { highWaterMark: streamChunkBytes });
  await pipeline(source, createZstdCompress({ chunkSize: streamChunkBytes }), outgoing);
  const answer = await answered;
  const body = await answer.pipe(createZstdDecompress()).toArray();
  return Buffer.concat(body).toString();
}

async function download(client: RawClient, file: string): Promise<void> {
  const { outgoing, answered } = request(client, 'sync/download');
  await pipeline([Buffer.from('{"_pad":null}')], createZstdCompress(), outgoing);
  const answer = await answered;
  assert.equal(answer.statusCode, 200);
  await pipeline(answer, createZstdDecompress({ chunkSize: streamChunkBytes }), createWriteStream(file));
  assert.equal(Number(answer.headers['anki-original-size']), statSync(file).size);
}

function request(client: RawClient, method: string) {
  const header = JSON.stringify({ v: 11, k: client.hostKey, c: '26.09.3,test,linux', s: client.sessionKey });
  const { promise: answered, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const outgoing = http.request(new URL(method, client.url), { method: 'POST', headers: { 'anki-sync': header } });
  outgoing.on('response', resolve).on('error', reject);
  return { outgoing, answered };
}

/**
 * Asks for `meta` in fixed intervals until the end, whether or not the answers before have come: a server that stands
 * still for a second keeps many waiting, not one. Returns how long each answer took, milliseconds, ascending.
 */
function bystand(client: RawClient): { end(): Promise<readonly number[]> } {
  const asking: Promise<number>[] = [];
  const timer = setInterval(() => asking.push(timed(() => client.meta())), bystanderIntervalMs);
  return {
    async end() {
      clearInterval(timer);
      return (await Promise.all(asking)).sort((a, b) => a - b);
    },
  };
}

/** Highest resident memory of the process since its start. */
function peakBytes(server: Server): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** What differs besides `usn` and `mod` of the collection itself, which a download raises. */
function compareCollections(sent: string, received: string): readonly string[] {
  const found: string[] = [];
  using db = new DatabaseSync(sent);
  db.prepare('ATTACH ? AS received').run(received);
  for (const table of largeTables) {
    const columns = db.prepare('SELECT name FROM pragma_table_info(?)').all(table);
    const equal = columns.map(({ name }) => `a."${name}" IS b."${name}"`).join(' AND ');
    const count = (from: string) => db.prepare(`SELECT count(*) AS rows FROM ${from}`).get()?.rows;
    const counts = [
      `main.${table}`,
      `received.${table}`,
      `main.${table} a JOIN received.${table} b USING (id) WHERE ${equal}`,
    ];
    const [before, after, same] = counts.map(count);
    if (before !== after || before !== same) found.push(`${table}: ${before} sent, ${after} received, ${same} equal`);
  }
  const [one, other] = [received, sent].map(smallTables);
  return [...found, ...differences(one, other)];
}

function smallTables(file: string): unknown {
  using db = new DatabaseSync(file, { defensive: false });
  withoutCollation(db);
  const { col, ...rest } = databaseContent(db, new Set(largeTables));
  const { usn: _usn, mod: _mod, ...row } = Object.values(col ?? {})[0] ?? {};
  return { ...rest, col: row };
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return Math.round(performance.now() - start);
}

function at(sorted: readonly number[], quantile: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
}

function megs(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
