import { readCreationSecs } from './col-row.ts';
import { readConfigValue, writeConfigValue } from './config-store.ts';
import { daysElapsed, needsUnbury, readDayRules } from './scheduling/day.ts';
import type { SyncWork } from './sync-work.ts';

/** Above this `due` is a time in seconds, not a day number. */
const dueIsTimeAbove = 1_000_000_000;

/** `mod` and `usn` stay: every device does the same by itself, so the change is not sent. */
const UNBURY = `
  UPDATE cards SET queue = CASE
    WHEN type = 0 THEN 0
    WHEN type = 2 THEN 2
    WHEN due > ${dueIsTimeAbove} THEN 1
    ELSE 3
  END
  WHERE queue IN (-2, -3)
`;

/** At the first sync of a user's day: sets buried cards free, as every client does. */
export function unburyOnNewDay(work: SyncWork): void {
  const rules = readDayRules((key) => readConfigValue(work, key));
  if (rules.rolloverIsMissing) writeConfigValue(work, 'rollover', rules.rollover);
  const today = daysElapsed(rules, { crtSecs: Number(readCreationSecs(work)), nowSecs: work.nowSecs });
  if (!needsUnbury(rules.lastUnburied, today)) return;
  work.plainSql.run(UNBURY);
  writeConfigValue(work, 'lastUnburied', today);
}
