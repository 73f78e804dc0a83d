import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { JsonValue } from '../../src/collection/format/json.ts';
import { integrityOf, TestFolder } from '../../src/collection/test-files.ts';
import { SyncError } from '../../src/errors.ts';
import type { Message } from '../../src/protocol/message.ts';
import { TestSession } from '../../src/protocol/testing/test-session.ts';
import { useFastTemporaryFolder } from '../safety/fast-folder.ts';
import { isLong, seedOf } from '../safety/random.ts';
import { Random } from '../support/random.ts';
import { Mutator } from './mutate.ts';
import { recordedRequests } from './recorded.ts';

useFastTemporaryFolder();

const seed = seedOf(1);
const messagesWanted = isLong ? 200_000 : 8_000;
const messageMsMax = 10_000;
const methods = [
  'meta',
  'start',
  'applyGraves',
  'applyChanges',
  'chunk',
  'applyChunk',
  'sanityCheck2',
  'finish',
  'abort',
];

interface Seed {
  readonly method: Message['method'];
  readonly body: never;
}

/** Collection messages as released clients sent them. */
const seeds: readonly Seed[] = recordedRequests().flatMap(({ target, json }) => {
  const method = target.replace('sync/', '');
  return methods.includes(method) && json !== undefined
    ? [{ method: method as Message['method'], body: json as never }]
    : [];
});

test(`${messagesWanted} half-valid messages are merged or refused, and the collection stays sound`, async (t) => {
  const dice = new Random(seed);
  const mutator = new Mutator(dice);
  using session = new TestSession('rich.anki2');
  let refused = 0;
  for (let count = 0; count < messagesWanted; count++) {
    if (dice.chance(0.2)) answer(session, { method: 'start', body: { minUsn: 0, lnewer: true } as never });
    const message = dice.pick(seeds);
    const body = dice.chance(0.8) ? mutator.json(message.body) : message.body;
    const startedMs = performance.now();
    const before = session.collection.summary();
    try {
      if (answer(session, { ...message, body: body as never }) === 'refused') {
        refused += 1;
        assert.deepEqual(session.collection.summary(), before, 'a refused message changes nothing');
      }
    } catch (error) {
      const what = `seed ${seed}, message ${count}: ${message.method} ${JSON.stringify(body).slice(0, 3000)}`;
      throw new Error(`${what}: ${error instanceof Error ? error.stack : error}`, { cause: error });
    }
    assert.ok(performance.now() - startedMs < messageMsMax, `seed ${seed}, message ${count} hangs`);
  }
  session.collection.close();
  using folder = new TestFolder();
  const copy = folder.file('collection.anki2');
  copyFileSync(path.join(session.base, 'learner', 'collection.anki2'), copy);
  const integrity = await integrityOf(copy);
  // Names are put into Anki's order by the check in, which is not part of a message.
  const problems = integrity
    .split('\n')
    .filter((line) => line !== 'ok' && !/idx_|sqlite_autoindex_|wrong # of entries/.test(line));
  assert.deepEqual(problems, []);
  t.diagnostic(`seed ${seed}: ${messagesWanted} messages, ${refused} refused`);
});

function answer(session: TestSession, { method, body }: Seed): 'done' | 'refused' {
  try {
    session.send(method, body as JsonValue);
    return 'done';
  } catch (error) {
    if (error instanceof SyncError && error.code !== 'serverFault') return 'refused';
    throw error;
  }
}
