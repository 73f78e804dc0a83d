import assert from 'node:assert/strict';
import test from 'node:test';
import { create } from '@bufbuild/protobuf';
import { dropMinusZeros, replaceForbiddenNumbers } from './deck-config-limits.ts';
import { DeckConfigConfigSchema } from './proto/collection_pb.ts';

const rules = [
  ['newPerDay', 0, 9999, 20],
  ['reviewsPerDay', 0, 9999, 200],
  ['newPerDayMinimum', 0, 9999, 0],
  ['initialEase', 1.31, 5, 2.5],
  ['easyMultiplier', 1, 5, 1.3],
  ['hardMultiplier', 0.5, 1.3, 1.2],
  ['lapseMultiplier', 0, 1, 0],
  ['intervalMultiplier', 0.5, 2, 1],
  ['maximumReviewInterval', 1, 36500, 36500],
  ['minimumLapseInterval', 1, 36500, 1],
  ['graduatingIntervalGood', 1, 36500, 1],
  ['graduatingIntervalEasy', 1, 36500, 4],
  ['leechThreshold', 1, 9999, 8],
  ['capAnswerTimeToSecs', 1, 9999, 60],
  ['desiredRetention', 0.7, 0.99, 0.9],
  ['historicalRetention', 0.7, 0.97, 0.9],
] as const;

test('numbers up to their bounds are allowed, those beyond are replaced', () => {
  for (const [field, min, max, otherwise] of rules) {
    const after = (value: number) => {
      const config = create(DeckConfigConfigSchema, { [field]: Math.fround(value) });
      replaceForbiddenNumbers(config);
      return config[field];
    };
    assert.equal(after(min), Math.fround(min), `${field} at its minimum`);
    assert.equal(after(max), Math.fround(max), `${field} at its maximum`);
    assert.equal(after(max * 1.0001), Math.fround(otherwise), `${field} above its maximum`);
    assert.equal(after(Number.NaN), Math.fround(otherwise), `${field} as NaN`);
    assert.equal(after(min === 0 ? -1 : min * 0.9999), Math.fround(otherwise), `${field} below its minimum`);
  }
});

test('a -0 becomes a 0 wherever one number is stored', () => {
  const config = create(DeckConfigConfigSchema, { lapseMultiplier: -0, secondsToShowAnswer: -0, learnSteps: [-0] });
  dropMinusZeros(config);
  assert.deepEqual([config.lapseMultiplier, config.secondsToShowAnswer, config.learnSteps], [0, 0, [-0]]);
});
