const daySecs = 86_400;
const hourSecs = 3_600;
/** What Anki writes into a collection on scheduler 2 that names no hour. */
const rolloverDefault = 4;
const rolloverMax = 23;
/** An offset of a whole day or more, in minutes, is taken for a mistake. */
const offsetMinsEnd = 24 * 60;
const u32Max = 2 ** 32 - 1;
/** A clock that ran this many days ahead may have unburied; a later day than that is not believed. */
const wrongClockDays = 7;

/** When a user's day begins, as the collection's config says. The server's own time zone plays no part. */
export interface DayRules {
  readonly schedulerVersion: 1 | 2;
  /** Hour at which a day begins, 0 to 23. */
  readonly rollover: number;
  /** The collection is on scheduler 2 and names no usable hour: `rollover` has to be written to its config. */
  readonly rolloverIsMissing: boolean;
  /** Minutes west of UTC where the user was last: Sydney is -600. */
  readonly localOffset: number;
  /** The same where the collection was created; absent in collections that never had it. */
  readonly creationOffset: number | undefined;
  /** Day on which buried cards were last released. */
  readonly lastUnburied: number;
}

/**
 * Reads the rules from config values, given by key; undefined for a key that is not there. Whatever is of the wrong
 * type or out of range counts as missing, and so does a number written with a fraction, even `4.0`.
 */
export function readDayRules(configValue: (key: string) => unknown): DayRules {
  const schedulerVersion = integer(configValue('schedVer'), 1, 2) === 2 ? 2 : 1;
  const rollover = integer(configValue('rollover'), 0, 255);
  return {
    schedulerVersion,
    rollover: Math.min(rollover ?? rolloverDefault, rolloverMax),
    rolloverIsMissing: schedulerVersion === 2 && rollover === undefined,
    localOffset: offset(configValue('localOffset')) ?? 0,
    creationOffset: offset(configValue('creationOffset')),
    lastUnburied: integer(configValue('lastUnburied'), 0, u32Max) ?? 0,
  };
}

/**
 * Today as the number of days since the collection was created (`crtSecs`), never negative. Three ways of counting are
 * in use: whole days since creation (scheduler 1), days since the first rollover in today's time zone, and calendar
 * days between the two time zones (collections that know where they were created).
 */
export function daysElapsed(rules: DayRules, times: { readonly crtSecs: number; readonly nowSecs: number }): number {
  return Math.min(Math.max(0, countDays(rules, times)), u32Max);
}

/** Are buried cards to be released? Also when they were last released on a day that only a wrong clock can have seen. */
export function needsUnbury(lastUnburied: number, today: number): boolean {
  return lastUnburied < today || today + wrongClockDays < lastUnburied;
}

function countDays(rules: DayRules, { crtSecs, nowSecs }: { crtSecs: number; nowSecs: number }): number {
  if (rules.schedulerVersion === 1) return Math.trunc((nowSecs - crtSecs) / daySecs);
  const localNowSecs = nowSecs - rules.localOffset * 60;
  if (rules.creationOffset === undefined) {
    const localCrtDay = Math.floor((crtSecs - rules.localOffset * 60) / daySecs);
    const firstDaySecs = localCrtDay * daySecs + rules.rollover * hourSecs;
    return Math.trunc((localNowSecs - firstDaySecs) / daySecs);
  }
  const creationDay = Math.floor((crtSecs - rules.creationOffset * 60) / daySecs);
  const localDay = Math.floor(localNowSecs / daySecs);
  const dayHasBegun = localNowSecs - localDay * daySecs >= rules.rollover * hourSecs;
  return localDay - creationDay - (dayHasBegun ? 0 : 1);
}

function offset(value: unknown): number | undefined {
  return integer(value, 1 - offsetMinsEnd, offsetMinsEnd - 1);
}

function integer(value: unknown, min: number, max: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
}
