/** Systems as clients name them, before the first colon, and as people do. */
const SYSTEMS: ReadonlyMap<string, string> = new Map([
  ['lin', 'linux'],
  ['mac', 'macOS'],
  ['macos', 'macOS'],
  ['win', 'windows'],
  ['android', 'android'],
  ['ios', 'iOS'],
]);

/**
 * A client in words that are fit for the log, such as `desktop 26.09.3 on linux`. Clients name themselves in three ways:
 *
 * | text | client |
 * |---|---|
 * | `26.09.3,29bb700b,linux` | sync version 11: release, build, system |
 * | `anki,26.09.3 (29bb700b),linux` | the same in `meta` |
 * | `ankidesktop,2.1.15 (442df9d6),lin:debian:12` | older ones; `ankidroid,2.15.6,` too |
 *
 * AnkiDroid's own release is behind the system: `android:2.22:14`. Nothing else of the text is passed on, since anyone
 * may write anything there.
 */
export function clientInWords(text: string): string {
  const parts = text.split(',');
  const isShort = /^\d/.test(parts[0] ?? '');
  const name = isShort ? '' : (parts[0] ?? '');
  const release = wordIn((isShort ? parts[0] : parts[1])?.replace(/ .*$/s, ''));
  const [system = '', detail = ''] = (parts.slice(2).join(',') || '').split(':');
  if (system === 'android' || name === 'ankidroid') {
    const own = /^\d+\.\d[\w.-]*$/.test(detail) ? wordIn(detail) : release;
    return joined('AnkiDroid', own);
  }
  if (system === 'ios' || name === 'ankimobile') return joined('AnkiMobile', release);
  if (release === undefined) return 'a client that does not say its name';
  const where = SYSTEMS.get(system) ?? wordIn(system);
  return where === undefined ? `desktop ${release}` : `desktop ${release} on ${where}`;
}

/** A short plain word; undefined for anything else. */
function wordIn(text: string | undefined): string | undefined {
  return text !== undefined && /^[\w.+-]{1,24}$/.test(text) ? text : undefined;
}

function joined(name: string, release: string | undefined): string {
  return release === undefined ? name : `${name} ${release}`;
}
