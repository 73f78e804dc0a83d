import path from 'node:path';

/** Type stripping is most of a server's start, and this remembers its result. */
const compileCache = path.join(import.meta.dirname, '../../.cache/compile');

/** Settings of a sync server, and of programs under it, that the machine may have for purposes of its own. */
const unwanted = /^(SYNC_|PASSWORDS_HASHED$|MAX_SYNC_PAYLOAD_MEGS$|RUST_LOG$|PYTHON|ANKI|NODE_TEST|NODE_V8_COVERAGE$)/;

/** The environment of a client or a server under test: the one of the machine without surprises, and with `more`. */
export function childEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !unwanted.test(entry[0]),
  );
  return { NODE_COMPILE_CACHE: compileCache, ...Object.fromEntries(kept), TZ: middayZone(new Date()), ...more };
}

/**
 * A time zone in which it is about noon. Anki's day begins at 4 in the morning: without this, tests that run at that
 * time would see the day roll over half-way.
 */
export function middayZone(now: Date): string {
  // POSIX counts westwards: UTC+3 is three hours behind Greenwich.
  const hours = hoursWest(now);
  return `UTC${hours < 0 ? '-' : '+'}${Math.abs(hours)}`;
}

/** How far that zone lies west of Greenwich, negative for east. */
export function hoursWest(now: Date): number {
  return now.getUTCHours() - 12;
}
