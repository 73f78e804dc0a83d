import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { Clock } from '../support/clock/clock.ts';
import { skipWithoutClock } from '../support/clock/clock-library.ts';
import { serverUnderTest, startServer } from '../support/server.ts';
import { withoutChance } from './chance.ts';
import { type CollectionContent, collectionContent, collectionDeclarations } from './collection-content.ts';
import { differences } from './differences.ts';
import { asObject, type Json, parseLossless } from './lossless-json.ts';
import {
  layOut,
  type RecordedMessage,
  type RecordedResponse,
  readScenario,
  type Scenario,
  type StoredAccount,
  scenarioNames,
} from './scenario.ts';
import { type Reply, send } from './send.ts';
import { zipEntries } from './zip-entries.ts';

// The clock of the server is set to the time of each recorded message, so that what it makes of the time is equal too.
/** Where the recordings were made: the day of a new collection depends on it. */
const zone = 'Australia/Sydney';

const skip = skipWithoutClock();

suite('recorded traffic of released clients gets the same answers and leaves the same files', { skip }, () => {
  for (const name of scenarioNames()) {
    const scenario = readScenario(name);
    test(`${name}: ${scenario.title}`, () => replay(scenario));
  }
});

async function replay(scenario: Scenario): Promise<void> {
  const work = mkdtempSync(path.join(tmpdir(), 'replay-'));
  try {
    const base = path.join(work, 'base');
    const folder = path.join(base, scenario.user);
    using clock = new Clock(scenario.messages[0]?.atMs ?? 0, zone);
    if (scenario.before) layOut(scenario.before, folder);
    else layOut({ collection: undefined, mediaDb: undefined, media: [], mediaTotals: noMedia }, folder);
    await using server = await startServer({
      users: ['somebody else'], // Whose made-up password tells that it is this server that answers.
      passwords: 'plain',
      base,
      env: { SYNC_USER2: scenario.account, ...clock.environment },
    });
    for (const message of scenario.messages) {
      if (message.response.kind === 'notFromServer') continue;
      clock.set(answeredAtMs(message));
      compareAnswer(message, await send(server.url, message.request));
    }
    await server.stop();
    compareFolder(folder, scenario);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const noMedia = { last_usn: 0, total_bytes: 0, total_nonempty_files: 0 };

/** The moment that the recorded answer itself tells, else that at which the request came. */
function answeredAtMs({ atMs, method, response }: RecordedMessage): number {
  if (response.kind === 'collection') {
    const [row] = Object.values(collectionContent(response.bytes).col ?? {});
    return Number(row?.mod);
  }
  if (response.kind !== 'json') return atMs;
  if (method === 'finish') return Number(response.json);
  if (method !== 'meta') return atMs;
  const meta = asObject(response.json, 'meta');
  // A collection that is made by this very request is as old as its schema.
  return meta.mod === 0 && Number(meta.scm) >= atMs ? Number(meta.scm) : Math.max(atMs, Number(meta.ts) * 1000);
}

function compareAnswer({ label, method, response }: RecordedMessage, reply: Reply): void {
  const text = () => Buffer.from(reply.body).toString('utf8');
  assert.equal(reply.status, response.status, `${label}: status, with the body ${text().slice(0, 200)}`);
  if (reply.originalSize !== undefined)
    assert.equal(reply.originalSize, reply.body.length, `${label}: announced length`);
  if (reply.status !== 200) return;
  const { actual, expected } = comparable(method, response, reply.body);
  assert.deepEqual(differences(actual, expected), [], label);
}

/** Both answers in a form in which everything that a client can notice makes a difference. */
function comparable(
  method: string,
  response: RecordedResponse,
  body: Uint8Array,
): { actual: unknown; expected: unknown } {
  const text = Buffer.from(body).toString('utf8');
  switch (response.kind) {
    case 'json':
      return { actual: inOrder(method, parseLossless(text)), expected: inOrder(method, response.json) };
    case 'text':
      return { actual: text, expected: response.text };
    case 'zip':
      return { actual: zipEntries(body), expected: zipEntries(response.bytes) };
    case 'collection':
      return { actual: collectionContent(body), expected: collectionContent(response.bytes) };
    case 'notFromServer':
      throw new Error('such messages are not sent');
    default:
      return response satisfies never;
  }
}

/** Small objects come in the order of some index or hash table, which no client looks at. */
function inOrder(method: string, answer: Json): Json {
  if (method !== 'applyChanges') return answer;
  const sorted = (value: Json | undefined): Json =>
    Array.isArray(value) ? value.map(sorted).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1)) : (value ?? null);
  const { models, decks, tags, ...rest } = asObject(answer, 'changes');
  const [deckList, configList] = Array.isArray(decks) ? decks : [];
  return { ...rest, models: sorted(models), decks: [sorted(deckList), sorted(configList)], tags: sorted(tags) };
}

function sortKey(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(asObject(value, 'small object').id);
}

/** Is the collection afterwards one that the server made itself? */
function madeByServer({ before, messages }: Scenario): boolean {
  return before === undefined && !messages.some(({ method }) => method === 'upload');
}

function compareFolder(folder: string, scenario: Scenario): void {
  const { after } = scenario;
  if (after === undefined) return;
  if (after.collection !== undefined)
    compareCollection(path.join(folder, 'collection.anki2'), scenario, after.collection);
  compareMedia(folder, after);
}

function compareCollection(file: string, scenario: Scenario, recorded: Uint8Array): void {
  new DatabaseSync(file).close(); // Ends a journal that the server left behind.
  const stored = readFileSync(file);
  const legacyDownload = scenario.messages.some(
    ({ method, request }) => method === 'download' && request.body.kind === 'asIs',
  );
  const before = scenario.before?.collection;
  // On purpose: for a legacy download the official server rewrites its own file to schema 11 and later back, which loses
  // some things and adds others. This one makes a copy, and its file only changes as by any download.
  const keepsFile = legacyDownload && serverUnderTest === 'ours' && before !== undefined;
  const expected = keepsFile ? afterDownload(collectionContent(before), recorded) : collectionContent(recorded);
  const comparable = madeByServer(scenario) ? withoutChance : (content: CollectionContent) => content;
  assert.deepEqual(differences(comparable(collectionContent(stored)), comparable(expected)), [], 'collection');
  assert.deepEqual(
    collectionDeclarations(stored),
    collectionDeclarations(keepsFile ? before : recorded),
    'declarations',
  );
}

/** A collection with nothing changed but what the recorded one tells of its own download. */
function afterDownload(content: CollectionContent, recorded: Uint8Array): CollectionContent {
  const [told] = Object.values(collectionContent(recorded).col ?? {});
  const col = Object.entries(content.col ?? {}).map(([key, row]) => [key, { ...row, mod: told?.mod, usn: told?.usn }]);
  return { ...content, col: Object.fromEntries(col) };
}

function compareMedia(folder: string, after: StoredAccount): void {
  if (after.mediaDb === undefined) return;
  using db = new DatabaseSync(path.join(folder, 'media.db'));
  const rows = db.prepare('SELECT fname, lower(hex(csum)), size, usn, mtime FROM media ORDER BY usn');
  rows.setReturnArrays(true);
  assert.deepEqual(differences(rows.all(), after.media), [], 'media index');
  assert.deepEqual(
    { ...db.prepare('SELECT last_usn, total_bytes, total_nonempty_files FROM meta').get() },
    after.mediaTotals,
  );
  const expected = after.media.filter(([, , byteLength]) => byteLength > 0).map(([name, sha1]) => [name, sha1]);
  const stored = readdirSync(path.join(folder, 'media')).map((name) => [
    name,
    sha1Of(path.join(folder, 'media', name)),
  ]);
  assert.deepEqual(stored.sort(), expected.sort(), 'media files');
}

function sha1Of(file: string): string {
  return createHash('sha1').update(readFileSync(file)).digest('hex');
}
