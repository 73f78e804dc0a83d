import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { userFolder } from '../../user-folder.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What the clock can be compared with. */
export interface ClockFacts {
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /** When a collection was last changed, by its file. */
  readonly newestFileMs: number | undefined;
  /** What the server at the public address takes for the time, less what our own clock said then, milliseconds. */
  readonly remoteAheadMs: number | undefined;
}

/** No release of this program is older. */
const earliestMs = Date.UTC(2026, 0, 1);
/** Clients refuse to sync when the server's clock differs from theirs by more, milliseconds. */
const clientToleranceMs = 5 * 60 * 1000;
const worthMentioningMs = 30 * 1000;

export function gatherClock(base: string | undefined, remoteAheadMs: number | undefined): ClockFacts {
  return { nowMs: Date.now(), newestFileMs: base === undefined ? undefined : newestCollection(base), remoteAheadMs };
}

function newestCollection(base: string): number | undefined {
  if (!existsSync(base)) return undefined;
  try {
    const files = readdirSync(base).map((user) => userFolder(base, user).collection);
    const times = files.filter((file) => existsSync(file)).map((file) => statSync(path.resolve(file)).mtimeMs);
    return times.length === 0 ? undefined : Math.max(...times);
  } catch {
    return undefined; // A folder that cannot be read is told by the check of the folder.
  }
}

/** Is it the time that it claims to be? */
export function judgeClock({ nowMs, newestFileMs, remoteAheadMs }: ClockFacts): readonly Finding[] {
  const remedy =
    'Set the clock and let it follow a time server (systemd-timesyncd, chrony). Clients refuse to sync when it is off by five minutes.';
  const now = new Date(nowMs).toISOString();
  if (nowMs < earliestMs) return [problem(`the clock of this computer says ${now}, which is long ago`, remedy)];
  if (newestFileMs !== undefined && newestFileMs > nowMs + clientToleranceMs) {
    const later = new Date(newestFileMs).toISOString();
    return [problem(`the clock of this computer says ${now}, but a collection was changed at ${later}`, remedy)];
  }
  if (remoteAheadMs === undefined) return [ok(`the clock of this computer says ${now}`)];
  const offSecs = Math.round(Math.abs(remoteAheadMs) / 1000);
  const text = `the clock of the server and that of this computer differ by ${offSecs} s`;
  if (Math.abs(remoteAheadMs) > clientToleranceMs) return [problem(text, remedy)];
  if (Math.abs(remoteAheadMs) > worthMentioningMs) return [warning(text, remedy)];
  return [ok('the clock of the server agrees with that of this computer')];
}
