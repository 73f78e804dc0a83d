import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { uploadFile } from '../safety/script.ts';
import { SyncDevice } from '../safety/sync-device.ts';
import { newSessionKey } from '../support/raw-client.ts';
import { type Server, startServer } from '../support/server.ts';
import { entriesIn, lineOf } from './log-reader.ts';

let server: Server;

before(async () => {
  const env = { SYNC_LOG_FORMAT: 'json' };
  server = await startServer({ kind: 'ours', users: ['ann'], passwords: 'plain', env });
  const file = await uploadFile('fresh-empty.anki2');
  const device = new SyncDevice(server.rawClient('ann'));
  await device.upload(file.bytes, file.state);
  await device.sync({ noteIds: [1_500_000_000_001] });
  await assert.rejects(device.client.finish(), { status: 409 });
  await lineOf(server, /"uri":"\/sync\/finish".*"httpstatus":409/);
});
after(() => server[Symbol.asyncDispose]());

function lastEntry(matches: (entry: Readonly<Record<string, unknown>>) => boolean) {
  const entry = entriesIn(server.log).findLast(matches);
  assert.ok(entry !== undefined, server.log);
  return entry;
}

/** Kinds of the values, for comparing without what differs from run to run. */
function typesOf(entry: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, typeof value]));
}

test('a request is one object with the fields of the official server', () => {
  const entry = lastEntry(({ uri, httpstatus }) => uri === '/sync/finish' && httpstatus === 200);
  assert.deepEqual(typesOf(entry), {
    level: 'string',
    time: 'string',
    event: 'string',
    uri: 'string',
    ip: 'string',
    session: 'string',
    client: 'string',
    uid: 'string',
    httpstatus: 'number',
    elap_ms: 'number',
    bytes_in: 'number',
    bytes_out: 'number',
    msg: 'string',
  });
  const { level, event, ip, uid, client, msg } = entry;
  assert.deepEqual(
    { level, event, ip, uid, client, msg },
    { level: 'info', event: 'request', ip: '127.0.0.1', uid: 'ann', client: '26.09.3,test,linux', msg: 'finished' },
  );
  assert.ok(Math.abs(Date.parse(String(entry['time'])) - Date.now()) < 60_000);
});

test('a refused request says why', () => {
  const { msg, context } = lastEntry(({ httpstatus }) => httpstatus === 409);
  assert.deepEqual([msg, context], ['refused', 'Cannot go on with the sync: no sync is active']);
});

test('a sync is one object with its numbers', () => {
  const entry = lastEntry(({ event, kind }) => event === 'sync' && kind === 'normal');
  const { result, user, client, sent } = entry;
  assert.deepEqual([result, user, client], ['done', 'ann', 'anki,26.09.3 (test),linux']);
  const none = { decks: 0, notetypes: 0, presets: 0, tags: 0, deletions: 0 };
  assert.deepEqual(sent, { reviews: 1, cards: 1, notes: 1, ...none });
  assert.match(String(entry['msg']), /^ann: desktop 26\.09\.3 on linux synced: sent 1 review, 1 card, 1 note, got /);
});

test('a client can write neither lines nor fields of its own, nor commands for a terminal', async () => {
  const evil = 'x"}\n{"level":"error","msg":"fake","uid":"eve"}\r\n\u001b[31m\u0085\u2028\u202e';
  const header = JSON.stringify({ v: 11, k: server.hostKey('ann'), c: evil, s: newSessionKey() });
  const ascii = header.replaceAll(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const reply = await server.rawClient('ann').post('sync/meta', '{"v":11,"cv":"evil"}', { header: ascii });
  assert.equal(reply.status, 200);
  await lineOf(server, /"client":"x/);
  const entry = lastEntry(({ client }) => client === evil);
  assert.equal(entry['uid'], 'ann');
  assert.ok(entriesIn(server.log).every(({ uid }) => uid !== 'eve'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: They are what must not be there.
  assert.doesNotMatch(server.log.replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
});

test('neither keys nor passwords are in the log', async () => {
  const client = server.rawClient('ann');
  await client.login('ann', server.password('ann'));
  await assert.rejects(client.login('ann', 'wrong-secret'), { status: 403 });
  await fetch(new URL(`msync/begin?k=${server.hostKey('ann')}&v=test`, server.url));
  await lineOf(server, /"uri":"\/msync\/begin"/);
  for (const secret of [server.password('ann'), server.hostKey('ann'), 'wrong-secret']) {
    assert.ok(!server.log.includes(secret));
  }
});
