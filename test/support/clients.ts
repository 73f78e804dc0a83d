/** How a release is driven: the calls around a sync changed twice since there is a library on PyPI. */
export type Generation =
  /** Sync version 9, Python only, from Debian's archive. */
  | 'python'
  /** Sync version 10: the address comes from the environment, full syncs are two calls. */
  | 'A'
  /** Sync version 11: the address is part of the credentials, full syncs are two calls. */
  | 'B'
  /** Sync version 11: one call for full syncs, media in the background. */
  | 'C';

/** One released Anki client that the tests can run. */
export interface ClientRelease {
  /** As PyPI (or Debian) spells it; PyPI drops leading zeros, so `24.6.3` calls itself 24.06.3. */
  readonly version: string;
  /** The `v` that it sends with every message. */
  readonly protocol: 9 | 10 | 11;
  readonly generation: Generation;
  /** What pip must be told besides the version, because newer releases of a dependency break this client. */
  readonly pins: readonly string[];
  readonly source: 'pypi' | 'debian';
}

/** Every client that the suite runs, oldest first. */
export const CLIENT_RELEASES = [
  { version: '2.1.15', protocol: 9, generation: 'python', pins: [], source: 'debian' },
  { version: '2.1.40', protocol: 10, generation: 'A', pins: ['protobuf<3.21'], source: 'pypi' },
  { version: '2.1.44', protocol: 10, generation: 'A', pins: ['protobuf<3.21'], source: 'pypi' },
  { version: '2.1.49', protocol: 10, generation: 'A', pins: ['protobuf<3.21'], source: 'pypi' },
  { version: '2.1.54', protocol: 10, generation: 'A', pins: [], source: 'pypi' },
  { version: '2.1.58', protocol: 11, generation: 'B', pins: [], source: 'pypi' },
  { version: '2.1.66', protocol: 11, generation: 'B', pins: [], source: 'pypi' },
  { version: '23.10.1', protocol: 11, generation: 'C', pins: [], source: 'pypi' },
  { version: '24.11', protocol: 11, generation: 'C', pins: [], source: 'pypi' },
  { version: '25.2.7', protocol: 11, generation: 'C', pins: [], source: 'pypi' },
  { version: '25.9.5', protocol: 11, generation: 'C', pins: [], source: 'pypi' },
  { version: '26.9.3', protocol: 11, generation: 'C', pins: [], source: 'pypi' },
] as const satisfies readonly ClientRelease[];

export type ClientVersion = (typeof CLIENT_RELEASES)[number]['version'];

export const newestClient = '26.9.3' satisfies ClientVersion;
/** The first release that speaks protocol 11 and was not withdrawn. */
export const oldestModernClient = '2.1.58' satisfies ClientVersion;

/** The release of that version. Throws for a version that the suite does not know. */
export function clientRelease(version: ClientVersion): ClientRelease {
  const release = CLIENT_RELEASES.find((candidate) => candidate.version === version);
  if (release === undefined) throw new Error(`unknown client version ${version}`);
  return release;
}

export function clientVersions(wanted: (release: ClientRelease) => boolean): readonly ClientVersion[] {
  return CLIENT_RELEASES.filter(wanted).map((release) => release.version);
}

export const modernClients = clientVersions((release) => release.protocol === 11);
export const legacyClients = clientVersions((release) => release.protocol < 11);
