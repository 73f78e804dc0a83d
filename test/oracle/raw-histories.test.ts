import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Clock } from '../support/clock/clock.ts';
import { skipWithoutClock } from '../support/clock/clock-library.ts';
import { Random } from '../support/random.ts';
import type { RawClient, RawReply } from '../support/raw-client.ts';
import { type Server, serverUnderTest, startServer } from '../support/server.ts';
import { jsonOf, RawComparison } from './raw-comparison.ts';
import { type RawStep, rawHistory } from './raw-history.ts';
import { rawUploads } from './raw-uploads.ts';
import { historySeeds, testIsLong } from './seeds.ts';

const skip = skipWithoutClock();

const seeds = historySeeds({ normally: 12, long: 200 });
const syncsPerHistory = testIsLong ? 80 : 30;
const startMs = Date.UTC(2026, 10, 30, 12);
const stepsShown = 12;

suite('random messages get the same answers as from the official server', { skip }, () => {
  let clock: Clock;
  let oracle: Server;
  let subject: Server;

  before(async () => {
    clock = new Clock(startMs);
    const options = { users: seeds.map((seed) => `seed${seed}`), passwords: 'hashed', env: clock.environment } as const;
    oracle = await startServer({ ...options, kind: 'official' });
    // Aimed at the official server the test compares it with itself: that shows which answers depend on chance.
    subject = await startServer({ ...options, kind: serverUnderTest });
  });
  after(async () => {
    await oracle?.[Symbol.asyncDispose]();
    await subject?.[Symbol.asyncDispose]();
    clock?.[Symbol.dispose]();
  });

  for (const seed of seeds) {
    test(`HISTORY_SEED=${seed}`, () => compareHistory(seed, clock, [oracle, subject]));
  }
});

async function compareHistory(seed: number, clock: Clock, servers: readonly [Server, Server]): Promise<void> {
  const random = new Random(seed);
  const [oracle, subject] = servers.map((server) => server.rawClient(`seed${seed}`));
  if (oracle === undefined || subject === undefined) throw new Error('two servers');
  clock.set(startMs);
  const history = rawHistory(random, rawUploads, syncsPerHistory, clock);
  const comparison = new RawComparison();
  const past: string[] = [];
  for (let next = history.next(); !next.done; ) {
    const step = next.value;
    clock.advance(step.afterMs);
    const [expected, actual] = await Promise.all([oracle, subject].map((client) => send(client, step)));
    if (expected === undefined || actual === undefined) throw new Error('two answers');
    past.push(describe(past.length, step, expected));
    const found = comparison.differences(step, actual, expected);
    if (found.length > 0) {
      const shown = past.slice(-stepsShown).join('\n');
      assert.fail(
        `HISTORY_SEED=${seed}, step ${past.length - 1}:\n${found.join('\n')}\n${actual.status === 200 ? '' : actual.body}\nThe last steps:\n${shown}`,
      );
    }
    next = history.next({ status: expected.status, json: jsonOf(step, expected) });
  }
}

async function send(client: RawClient, step: RawStep): Promise<RawReply> {
  client.sessionKey = step.sessionKey;
  if (step.dress === 'modern') return client.post(step.path, step.body);
  const form = new FormData();
  form.set('k', client.hostKey);
  const answer = await fetch(new URL(step.path, client.url), { method: 'POST', body: form });
  return { status: answer.status, headers: {}, body: Buffer.from(await answer.arrayBuffer()) };
}

function describe(index: number, step: RawStep, answer: RawReply): string {
  const body = typeof step.body === 'string' ? step.body : `${step.body.length} bytes`;
  return `${index} +${step.afterMs} ms ${step.path} [${step.sessionKey}] ${body.slice(0, 4000)} → ${answer.status} ${String(jsonOf(step, answer) === undefined ? '' : answer.body).slice(0, 600)}`;
}
