import assert from 'node:assert/strict';
import { clientRelease } from './clients.ts';
import type { Device, DeviceState } from './device.ts';

const differencesShown = 20;

/** What no server keeps as it was, and what each device writes for itself. */
const neverCompared: readonly RegExp[] = [
  // The time zone of the device, which early releases note at start without marking a change.
  /^config\/localOffset$/,
  // A third interval of Anki 2.1.15 that means nothing; schema 18 has only two.
  /^options\/\d+\/new\/ints\/2$/,
];

/** What a server writes for keys that the sender did not know. */
const defaultTexts: ReadonlySet<string> = new Set(['null', 'false', '0', '""']);
/** The same for settings of decks whose default says something. */
const optionDefaults: ReadonlyMap<string, string> = new Map([
  ['desiredRetention', '0.9'],
  ['sm2Retention', '0.9'],
  ['waitForAudio', 'true'],
  ['return', 'true'],
]);

/**
 * Findings of Check Database that say nothing about syncing: repairs of what the releases themselves leave undone.
 * Each with the reason.
 */
const harmlessFindings: readonly RegExp[] = [
  // Releases before 25.09 do not note when a card was reviewed last; later ones add it here.
  /last review time/i,
];

/** All devices hold the same, fact by fact, and have nothing left to send. */
export async function assertSameState(devices: readonly Device[], options: CompareOptions = {}): Promise<void> {
  const states = await Promise.all(devices.map((device) => device.state()));
  states.forEach((state, n) => {
    assert.deepEqual(state.unsent, {}, `${devices[n]?.name} has sent everything`);
  });
  const [first, ...others] = devices;
  const [firstState, ...otherStates] = states;
  if (first === undefined || firstState === undefined) return;
  otherStates.forEach((state, n) => {
    const other = others[n];
    if (other === undefined) return;
    const differences = compareStates(firstState, state, {
      ...options,
      sameRelease: first.version === other.version,
    });
    assert.equal(differences.join('\n'), '', `${first.name} (${first.version}) and ${other.name} (${other.version})`);
  });
}

export interface CompareOptions {
  /** Paths that need not be equal; say why beside the call. */
  readonly except?: readonly RegExp[];
}

/** What differs, a line each, at most twenty. */
export function compareStates(
  one: DeviceState,
  other: DeviceState,
  options: CompareOptions & { readonly sameRelease: boolean },
): readonly string[] {
  const paths = new Set([...one.facts.keys(), ...other.facts.keys()]);
  const differences: string[] = [];
  for (const path of [...paths].sort()) {
    if ([...neverCompared, ...(options.except ?? [])].some((exception) => exception.test(path))) continue;
    const [mine, theirs] = [one.facts.get(path), other.facts.get(path)];
    if (mine === theirs) continue;
    if (mayBeUnknown(path) && isUnknownTo(path, mine, theirs, options.sameRelease)) continue;
    differences.push(`${path}: ${mine ?? '(missing)'} ≠ ${theirs ?? '(missing)'}`);
  }
  return differences.slice(0, differencesShown);
}

/** Parts of objects that not all releases know. An object that is missing altogether shows: each has a name or an id. */
function mayBeUnknown(path: string): boolean {
  if (/^(decks|options|notetypes)\/[^/]+\/(id|name)$/.test(path)) return false;
  return /^(decks|options|notetypes)\/[^/]+\/|^cards\/\d+\/data\/|^config\//.test(path);
}

/**
 * Is this a part of an object that one of the two has never heard of? Old releases do not write keys that they do not
 * know; the server adds them with default values, which the sender does not get back.
 */
function isUnknownTo(
  path: string,
  mine: string | undefined,
  theirs: string | undefined,
  sameRelease: boolean,
): boolean {
  if (mine !== undefined && theirs !== undefined) return false;
  const text = mine ?? theirs ?? '';
  return !sameRelease || defaultTexts.has(text) || optionDefaults.get(path.split('/').at(-1) ?? '') === text;
}

/** Check Database finds nothing. The device is not to be used any more: it may have repaired something. */
export async function assertNoFindings(device: Device): Promise<void> {
  const findings = (await device.checkDatabase()).filter((line) => !harmlessFindings.some((known) => known.test(line)));
  const { version } = clientRelease(device.version);
  assert.deepEqual(findings, [], `${device.name} (${version}): Check Database finds nothing`);
}
