/** Settings of a sync server, and of programs under it, that the machine may have for purposes of its own. */
const unwanted = /^(SYNC_|PASSWORDS_HASHED$|MAX_SYNC_PAYLOAD_MEGS$|RUST_LOG$|PYTHON|ANKI|NODE_TEST|NODE_V8_COVERAGE$)/;

/** The environment of a client or a server under test: the one of the machine without surprises, and with `more`. */
export function childEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !unwanted.test(entry[0]),
  );
  return { ...Object.fromEntries(kept), TZ: middayZone(new Date()), ...more };
}

/**
 * A time zone in which it is about noon. Anki's day begins at 4 in the morning: without this, tests would see the day
 * roll over once a day, and could not move the beginning of the day to either side of now.
 */
export function middayZone(now: Date): string {
  // POSIX counts westwards: UTC+3 is three hours behind Greenwich.
  const hoursWest = now.getUTCHours() - 12;
  return `UTC${hoursWest < 0 ? '-' : '+'}${Math.abs(hoursWest)}`;
}
