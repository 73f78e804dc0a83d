import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { Clock } from '../support/clock/clock.ts';
import { skipWithoutClock } from '../support/clock/clock-library.ts';
import { type Server, serverUnderTest } from '../support/server.ts';
import { Account, PURPOSES, startCollection } from './on-purpose.ts';
import { startUnderClock } from './twin-worlds.ts';

const startMs = Date.UTC(2026, 11, 1, 12);

suite('where this server differs from the official one, it does so on purpose', { skip: skipWithoutClock() }, () => {
  let clock: Clock;
  let official: Server;
  let ours: Server | undefined;

  before(async () => {
    clock = new Clock(startMs);
    const users = PURPOSES.map((_, number) => `case${number}`);
    official = await startUnderClock(clock, 'official', users);
    if (serverUnderTest === 'ours') ours = await startUnderClock(clock, 'ours', users);
  });
  after(async () => {
    await official?.[Symbol.asyncDispose]();
    await ours?.[Symbol.asyncDispose]();
    clock?.[Symbol.dispose]();
  });

  PURPOSES.forEach((purpose, number) => {
    test(`${purpose.title} (${purpose.why})`, async () => {
      for (const server of [official, ours]) {
        if (server === undefined) continue;
        const account = new Account(server, `case${number}`);
        assert.equal(await account.device().upload(readFileSync(startCollection)), 'OK');
        assert.deepEqual(await purpose.observe(account), purpose[server.kind], `the ${server.kind} server`);
      }
    });
  });
});
