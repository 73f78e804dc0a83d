import type { DeckConfigConfig } from './proto/collection_pb.ts';

/** Names of the message's fields that hold one number. */
type NumberField = {
  [K in keyof DeckConfigConfig]-?: DeckConfigConfig[K] extends number ? K : never;
}[keyof DeckConfigConfig];

interface Limit {
  readonly field: NumberField;
  readonly min: number;
  readonly max: number;
  /** What Anki takes for a value outside, and for NaN. */
  readonly otherwise: number;
}

const integerLimits: readonly Limit[] = [
  { field: 'newPerDay', min: 0, max: 9999, otherwise: 20 },
  { field: 'reviewsPerDay', min: 0, max: 9999, otherwise: 200 },
  { field: 'newPerDayMinimum', min: 0, max: 9999, otherwise: 0 },
  { field: 'maximumReviewInterval', min: 1, max: 36500, otherwise: 36500 },
  { field: 'minimumLapseInterval', min: 1, max: 36500, otherwise: 1 },
  { field: 'graduatingIntervalGood', min: 1, max: 36500, otherwise: 1 },
  { field: 'graduatingIntervalEasy', min: 1, max: 36500, otherwise: 4 },
  { field: 'leechThreshold', min: 1, max: 9999, otherwise: 8 },
  { field: 'capAnswerTimeToSecs', min: 1, max: 9999, otherwise: 60 },
];

const floatLimits: readonly Limit[] = [
  { field: 'initialEase', min: 1.31, max: 5, otherwise: 2.5 },
  { field: 'easyMultiplier', min: 1, max: 5, otherwise: 1.3 },
  { field: 'hardMultiplier', min: 0.5, max: 1.3, otherwise: 1.2 },
  { field: 'lapseMultiplier', min: 0, max: 1, otherwise: 0 },
  { field: 'intervalMultiplier', min: 0.5, max: 2, otherwise: 1 },
  { field: 'desiredRetention', min: 0.7, max: 0.99, otherwise: 0.9 },
  { field: 'historicalRetention', min: 0.7, max: 0.97, otherwise: 0.9 },
];

// Bounds are compared in single precision: a stored 1.31 is a little less than the double of that name.
const limits = [
  ...integerLimits,
  ...floatLimits.map(({ field, min, max, otherwise }) => ({
    field,
    min: Math.fround(min),
    max: Math.fround(max),
    otherwise: Math.fround(otherwise),
  })),
];

/** Puts Anki's default in place of every number that Anki does not allow, as it does whenever it reads options. */
export function replaceForbiddenNumbers(config: DeckConfigConfig): void {
  for (const { field, min, max, otherwise } of limits) {
    const isAllowed = config[field] >= min && config[field] <= max;
    if (!isAllowed) config[field] = otherwise;
  }
}

/** Anki does not tell -0 from 0 where it stores one number, and writes neither. */
export function dropMinusZeros(config: DeckConfigConfig): void {
  for (const { field } of floatLimits) if (config[field] === 0) config[field] = 0;
  if (config.secondsToShowQuestion === 0) config.secondsToShowQuestion = 0;
  if (config.secondsToShowAnswer === 0) config.secondsToShowAnswer = 0;
}
