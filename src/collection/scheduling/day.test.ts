import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonFloat } from '../format/json.ts';
import { daysElapsed, needsUnbury, readDayRules } from './day.ts';

function rulesOf(config: Readonly<Record<string, unknown>>) {
  return readDayRules((key) => config[key]);
}

const scheduler1 = rulesOf({ schedVer: 1 });
const sydney = { schedVer: 2, localOffset: -600 };
const moved = rulesOf({ schedVer: 2, creationOffset: 360, localOffset: 420, rollover: 4 });

test('scheduler 1 counts whole days since creation', () => {
  assert.equal(daysElapsed(scheduler1, { crtSecs: 1575226800, nowSecs: 1584491078 }), 107);
  assert.equal(daysElapsed(scheduler1, { crtSecs: 1575226800, nowSecs: 1584558000 - 1 }), 107);
  assert.equal(daysElapsed(scheduler1, { crtSecs: 1575226800, nowSecs: 1584558000 }), 108);
});

test('scheduler 2 without a place of creation counts from the first rollover in the present time zone', () => {
  const midnight = rulesOf({ ...sydney, rollover: 0 });
  assert.equal(daysElapsed(midnight, { crtSecs: 1533564000, nowSecs: 1584491078 }), 589);
  assert.equal(daysElapsed(midnight, { crtSecs: 1533564000, nowSecs: 1584540000 - 1 }), 589);
  assert.equal(daysElapsed(midnight, { crtSecs: 1533564000, nowSecs: 1584540000 }), 590);
  const morning = rulesOf({ ...sydney, rollover: 4 });
  assert.equal(daysElapsed(morning, { crtSecs: 1524038400, nowSecs: 1584491078 }), 700);
  assert.equal(daysElapsed(morning, { crtSecs: 1524038400, nowSecs: 1584554400 - 1 }), 700);
  assert.equal(daysElapsed(morning, { crtSecs: 1524038400, nowSecs: 1584554400 }), 701);
});

test('a collection without a creation time counts from 1970, in the zone of its user', () => {
  const hawaii = rulesOf({ schedVer: 2, localOffset: 600, rollover: 4 });
  assert.equal(daysElapsed(hawaii, { crtSecs: 0, nowSecs: 14 * 3600 - 1 }), 0);
  assert.equal(daysElapsed(hawaii, { crtSecs: 0, nowSecs: 14 * 3600 }), 1);
});

test('with a place of creation, calendar days count between there and here', () => {
  assert.equal(daysElapsed(moved, { crtSecs: 1533535200, nowSecs: 1577415600 }), 507);
  assert.equal(daysElapsed(moved, { crtSecs: 1533535200, nowSecs: 1577444400 }), 508);
  assert.equal(daysElapsed(moved, { crtSecs: 1533546000, nowSecs: 1533805199 }), 2);
  assert.equal(daysElapsed(moved, { crtSecs: 1533546000, nowSecs: 1533812399 }), 2);
  assert.equal(daysElapsed(moved, { crtSecs: 1533546000, nowSecs: 1533812400 }), 3);
});

test('a collection created in the future is on its first day', () => {
  for (const rules of [scheduler1, rulesOf(sydney), moved]) {
    assert.equal(daysElapsed(rules, { crtSecs: 1_700_000_000, nowSecs: 1_600_000_000 }), 0);
  }
});

test('a new day begins every 24 hours and never goes back', () => {
  const offsetMins = fc.integer({ min: -840, max: 720 });
  const config = fc.record(
    { schedVer: fc.constantFrom(1, 2), rollover: fc.nat(23), localOffset: offsetMins, creationOffset: offsetMins },
    { requiredKeys: ['schedVer'] },
  );
  const times = fc.record({ crtSecs: fc.nat(2 ** 31), ageSecs: fc.integer({ min: 3 * 86_400, max: 2 ** 31 }) });
  fc.assert(
    fc.property(config, times, fc.nat(86_400), (values, { crtSecs, ageSecs }, laterSecs) => {
      const dayAt = (nowSecs: number) => daysElapsed(rulesOf(values), { crtSecs, nowSecs });
      const today = dayAt(crtSecs + ageSecs);
      assert.equal(dayAt(crtSecs + ageSecs + 86_400), today + 1);
      assert.ok([today, today + 1].includes(dayAt(crtSecs + ageSecs + laterSecs)));
      assert.ok(Math.abs(today - ageSecs / 86_400) <= 3);
    }),
  );
});

const MISSING_ROLLOVERS = [undefined, null, '4', true, -1, 256, 4.5, 4n, new JsonFloat(4)];
for (const rollover of MISSING_ROLLOVERS) {
  test(`a rollover of ${typeof rollover} ${String(rollover)} is replaced by 4 on scheduler 2, and only there`, () => {
    const { rolloverIsMissing, rollover: hour } = rulesOf({ schedVer: 2, rollover });
    assert.deepEqual({ rolloverIsMissing, hour }, { rolloverIsMissing: true, hour: 4 });
    assert.equal(rulesOf({ schedVer: 1, rollover }).rolloverIsMissing, false);
  });
}

test('a rollover after 23 o’clock counts as 23 and is not rewritten', () => {
  const { rolloverIsMissing, rollover } = rulesOf({ schedVer: 2, rollover: 255 });
  assert.deepEqual({ rolloverIsMissing, rollover }, { rolloverIsMissing: false, rollover: 23 });
});

test('every scheduler but 2 counts like 1', () => {
  assert.equal(rulesOf({ schedVer: 2 }).schedulerVersion, 2);
  for (const schedVer of [undefined, null, 1, 3, '2', new JsonFloat(2), 2n]) {
    assert.equal(rulesOf({ schedVer }).schedulerVersion, 1);
  }
});

test('an offset of a day or more, a fraction or a text is none', () => {
  for (const minutes of [1440, -1440, 60.5, '60', null, undefined, 2 ** 40]) {
    const { localOffset, creationOffset } = rulesOf({ localOffset: minutes, creationOffset: minutes });
    assert.deepEqual({ localOffset, creationOffset }, { localOffset: 0, creationOffset: undefined });
  }
  const { localOffset, creationOffset } = rulesOf({ localOffset: 1439, creationOffset: -1439 });
  assert.deepEqual({ localOffset, creationOffset }, { localOffset: 1439, creationOffset: -1439 });
});

test('cards are released once a day, and again when the last time lies more than a week ahead', () => {
  assert.equal(needsUnbury(9, 10), true);
  assert.equal(needsUnbury(10, 10), false);
  assert.equal(needsUnbury(17, 10), false);
  assert.equal(needsUnbury(18, 10), true);
  assert.equal(needsUnbury(rulesOf({ lastUnburied: -3 }).lastUnburied, 0), false);
  assert.equal(rulesOf({ lastUnburied: 12 }).lastUnburied, 12);
});
