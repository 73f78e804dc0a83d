import { isIP } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import { hostKeyOf, type UserSetting } from './accounts/accounts.ts';
import type { StoredPassword } from './accounts/password.ts';
import { parsePasswordHash } from './accounts/phc.ts';
import { problemOfUserName } from './accounts/user-name.ts';
import type { KeepingPolicy } from './backup/retention.ts';
import { inflatedPerPayload, MiB, payloadMegsDefault } from './limits.ts';

/** Where the address of a client in the log comes from. Same values as the official server. */
export const IP_HEADERS = [
  'ConnectInfo',
  'XRealIp',
  'RightmostXForwardedFor',
  'CfConnectingIp',
  'TrueClientIp',
  'FlyClientIp',
  'CloudFrontViewerAddress',
] as const;
export type IpHeader = (typeof IP_HEADERS)[number];

export const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Everything that can be set, checked. */
export interface Config {
  /** At least one; all names differ. */
  readonly users: readonly UserSetting[];
  /** Absolute path of the data folder. */
  readonly base: string;
  /** IP address literal. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Compressed body, bytes. */
  readonly payloadBytesMax: number;
  /** Inflated body, bytes. */
  readonly inflatedBytesMax: number;
  readonly ipHeader: IpHeader;
  readonly logLevel: LogLevel;
  /** How long backups and displaced media are kept. */
  readonly keeping: KeepingPolicy;
}

/** The part of the settings that is about what lies in the data folder. */
export type KeepingConfig = Pick<Config, 'base' | 'inflatedBytesMax' | 'keeping'>;

/** One variable, for `--help` and the documentation. */
export interface Setting {
  readonly name: string;
  readonly byDefault: string;
  readonly meaning: string;
}

export const SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_USER1, SYNC_USER2, …',
    byDefault: 'none, one is needed',
    meaning: 'One user each, as name:password. The name ends at the first colon. Any numbers; gaps are fine.',
  },
  {
    name: 'PASSWORDS_HASHED',
    byDefault: 'no',
    meaning:
      'The passwords above are PHC hashes (pbkdf2-sha256, pbkdf2-sha512, argon2id). Set to anything but 0, false, no or off.',
  },
  {
    name: 'SYNC_BASE',
    byDefault: '.syncserver in the home folder',
    meaning: "Folder for all data. Each user gets a folder in it. Never Anki's own folder.",
  },
  { name: 'SYNC_HOST', byDefault: '0.0.0.0', meaning: 'IP address to listen on; :: for IPv6 too.' },
  { name: 'SYNC_PORT', byDefault: '8080', meaning: 'Port to listen on; 0 for any free one.' },
  {
    name: 'MAX_SYNC_PAYLOAD_MEGS',
    byDefault: String(payloadMegsDefault),
    meaning: 'Largest request in MiB as sent; three times that after decompression.',
  },
  {
    name: 'SYNC_IP_HEADER',
    byDefault: 'ConnectInfo',
    meaning: `Behind a proxy: the header that tells the client's address for the log. ${IP_HEADERS.join(', ')}.`,
  },
  {
    name: 'SYNC_LOG_LEVEL',
    byDefault: 'info',
    meaning: `How much to log: ${LOG_LEVELS.join(', ')}. Without it RUST_LOG=anki=debug and the like work too.`,
  },
  {
    name: 'SYNC_BACKUP_REPLACED_DAYS',
    byDefault: '30',
    meaning: 'How many days a collection is kept that a full upload or a restore has replaced.',
  },
  {
    name: 'SYNC_BACKUP_DAYS',
    byDefault: '14',
    meaning: 'Daily backups are kept for so many days on which the collection changed; 0 for none.',
  },
  {
    name: 'SYNC_BACKUP_WEEKS',
    byDefault: '8',
    meaning: 'The newest daily backup of a week is kept for so many weeks with changes.',
  },
  {
    name: 'SYNC_BACKUP_MONTHS',
    byDefault: '12',
    meaning: 'The newest daily backup of a month is kept for so many months with changes.',
  },
  {
    name: 'SYNC_BACKUP_MAX_MEGS',
    byDefault: '4096',
    meaning:
      'When the backups of a user are larger, in MiB, the oldest daily ones go, then manual ones; never replaced collections within their days. 0 for no limit.',
  },
  {
    name: 'SYNC_TRASH_DAYS',
    byDefault: '30',
    meaning: 'How many days a media file is kept that a device has replaced or deleted.',
  },
  {
    name: 'SYNC_TRASH_MAX_MEGS',
    byDefault: '0',
    meaning: 'When the media trash of a user is larger, in MiB, the oldest files go. 0 for no limit.',
  },
];

export type ConfigReading =
  | { readonly kind: 'config'; readonly config: Config; readonly warnings: readonly string[] }
  /** One line each, naming the variable and the remedy. */
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

export interface ConfigSurroundings {
  /** The variables, as in `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Undefined when there is none. */
  readonly homeFolder: string | undefined;
  readonly platform: NodeJS.Platform;
}

/** What this process was started with. */
export function currentSurroundings(): ConfigSurroundings {
  return { env: process.env, homeFolder: homeFolder(), platform: process.platform };
}

function homeFolder(): string | undefined {
  try {
    return homedir() || undefined;
  } catch {
    return undefined; // An account without one, as in some containers.
  }
}

/** Reads all settings. Nothing is touched; problems of all variables come together. */
export function readConfig({ env, homeFolder, platform }: ConfigSurroundings): ConfigReading {
  const problems: string[] = [];
  const warnings: string[] = [];
  const payloadMegs = readPayloadMegs(env['MAX_SYNC_PAYLOAD_MEGS'], problems);
  const config: Config = {
    users: readUsers(env, platform, problems, warnings),
    base: readBase(env['SYNC_BASE'], homeFolder, problems),
    ...readAddress(env, problems),
    payloadBytesMax: payloadMegs * MiB,
    inflatedBytesMax: payloadMegs * MiB * inflatedPerPayload,
    ipHeader: readIpHeader(env['SYNC_IP_HEADER'], problems),
    logLevel: readLogLevel(env, problems),
    keeping: readKeeping(env, problems),
  };
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'config', config, warnings };
}

/** Where the server listens: all that a health check needs. */
export function readAddress(
  env: ConfigSurroundings['env'],
  problems: string[],
): { readonly host: string; readonly port: number } {
  const host = env['SYNC_HOST'] ?? '0.0.0.0';
  if (isIP(host) === 0) {
    problems.push(`SYNC_HOST: ${quoted(host)} is not an IP address. Use 0.0.0.0 for all networks or 127.0.0.1.`);
  }
  const port = env['SYNC_PORT'] ?? '8080';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    problems.push(`SYNC_PORT: ${quoted(port)} is not a port. Use a number from 0 to 65535, such as 8080.`);
  }
  return { host, port: Number(port) };
}

function readUsers(
  env: ConfigSurroundings['env'],
  platform: NodeJS.Platform,
  problems: string[],
  warnings: string[],
): UserSetting[] {
  const variables = Object.keys(env).filter((name) => /^SYNC_USER\d+$/.test(name));
  variables.sort((a, b) => Number(a.slice('SYNC_USER'.length)) - Number(b.slice('SYNC_USER'.length)));
  for (const name of Object.keys(env)) {
    if (/^SYNC_?USER/i.test(name) && !variables.includes(name)) {
      warnings.push(`${name} is not read. Did you mean SYNC_USER1?`);
    }
  }
  if (variables.length === 0)
    problems.push('SYNC_USER1 is not set. Set it to a name and a password, as in ann:secret.');
  const areHashed = isYes(env['PASSWORDS_HASHED']);
  const users = new Map<string, UserSetting>();
  for (const variable of variables) {
    const user = readUser({ variable, value: env[variable] ?? '', areHashed, platform }, problems);
    if (user === undefined) continue;
    const namesake = users.get(user.name);
    if (namesake === undefined) users.set(user.name, user);
    else problems.push(`${variable} has the same name as ${namesake.variable}. Remove one or use another name.`);
    if (user.password.kind === 'hashed' && user.password.hash.kind === 'unusable') {
      warnings.push(`${variable}: this password can never match, because ${user.password.hash.why}.`);
    }
  }
  return [...users.values()];
}

interface UserVariable {
  readonly variable: string;
  readonly value: string;
  readonly areHashed: boolean;
  readonly platform: NodeJS.Platform;
}

// The value holds a password: no message may quote it.
function readUser({ variable, value, areHashed, platform }: UserVariable, problems: string[]): UserSetting | undefined {
  const colon = value.indexOf(':');
  if (colon === -1) {
    problems.push(`${variable} has no colon. Write name and password with a colon between them, as in ann:secret.`);
    return undefined;
  }
  const name = value.slice(0, colon);
  const problem = problemOfUserName(name, platform);
  if (problem !== undefined) {
    problems.push(`${variable}: the name ${quoted(name)} ${problem}. Use another name.`);
    return undefined;
  }
  if (value.includes('\ufffd')) {
    problems.push(`${variable} is not valid UTF-8. Set it again from a UTF-8 terminal or file.`);
    return undefined;
  }
  const password = readPassword(value.slice(colon + 1), areHashed);
  if (password === undefined) {
    problems.push(
      `${variable}: PASSWORDS_HASHED is set, but the text after the first colon is not a PHC hash. ` +
        'Put a hash there ($pbkdf2-sha256$i=600000,l=32$…), in single quotes in a shell, or unset PASSWORDS_HASHED.',
    );
    return undefined;
  }
  return { variable, name, password, hostKey: hostKeyOf(value) };
}

function readPassword(text: string, isHashed: boolean): StoredPassword | undefined {
  if (!isHashed) return { kind: 'plain', text };
  const hash = parsePasswordHash(text);
  return hash === undefined ? undefined : { kind: 'hashed', hash };
}

/** The official server takes any value for a yes, also an empty one; a plain no is heard here. */
function isYes(text: string | undefined): boolean {
  return text !== undefined && !/^(?:0|false|no|off)$/i.test(text.trim());
}

function readBase(text: string | undefined, homeFolder: string | undefined, problems: string[]): string {
  if (text === '') problems.push('SYNC_BASE is empty. Set it to the folder for the data, or unset it.');
  if (text !== undefined) return path.resolve(text);
  if (homeFolder !== undefined) return path.join(homeFolder, '.syncserver');
  problems.push('SYNC_BASE is not set, and there is no home folder. Set it to the folder for the data.');
  return '';
}

function readPayloadMegs(text: string | undefined, problems: string[]): number {
  if (text === undefined) return payloadMegsDefault;
  if (/^\+?0*[1-9]\d{0,6}$/.test(text)) return Number(text);
  problems.push(`MAX_SYNC_PAYLOAD_MEGS: ${quoted(text)} is not a number of MiB from 1 on. Use one such as 100.`);
  return payloadMegsDefault;
}

/** Highest of the numbers that tell how long or how much to keep. */
const keepingMax = 1_000_000;

function readKeeping(env: ConfigSurroundings['env'], problems: string[]): KeepingPolicy {
  const read = (variable: string, text: string | undefined): number => {
    const byDefault = SETTINGS.find(({ name }) => name === variable)?.byDefault;
    if (text === undefined) return Number(byDefault);
    if (/^\d{1,7}$/.test(text) && Number(text) <= keepingMax) return Number(text);
    problems.push(
      `${variable}: ${quoted(text)} is not a number from 0 to ${keepingMax}. Use one such as ${byDefault}.`,
    );
    return 0;
  };
  return {
    replacedDays: read('SYNC_BACKUP_REPLACED_DAYS', env['SYNC_BACKUP_REPLACED_DAYS']),
    days: read('SYNC_BACKUP_DAYS', env['SYNC_BACKUP_DAYS']),
    weeks: read('SYNC_BACKUP_WEEKS', env['SYNC_BACKUP_WEEKS']),
    months: read('SYNC_BACKUP_MONTHS', env['SYNC_BACKUP_MONTHS']),
    bytesMax: read('SYNC_BACKUP_MAX_MEGS', env['SYNC_BACKUP_MAX_MEGS']) * MiB,
    trashDays: read('SYNC_TRASH_DAYS', env['SYNC_TRASH_DAYS']),
    trashBytesMax: read('SYNC_TRASH_MAX_MEGS', env['SYNC_TRASH_MAX_MEGS']) * MiB,
  };
}

/** All that a command needs to work on the data folder: no users, no address. */
export function readKeepingConfig({ env, homeFolder }: ConfigSurroundings): KeepingConfig | readonly string[] {
  const problems: string[] = [];
  const payloadMegs = readPayloadMegs(env['MAX_SYNC_PAYLOAD_MEGS'], problems);
  const config: KeepingConfig = {
    base: readBase(env['SYNC_BASE'], homeFolder, problems),
    inflatedBytesMax: payloadMegs * MiB * inflatedPerPayload,
    keeping: readKeeping(env, problems),
  };
  return problems.length > 0 ? problems : config;
}

function readIpHeader(text: string | undefined, problems: string[]): IpHeader {
  const found = IP_HEADERS.find((name) => name === (text ?? 'ConnectInfo'));
  if (found !== undefined) return found;
  problems.push(`SYNC_IP_HEADER: ${quoted(text ?? '')} is not known. Use one of ${IP_HEADERS.join(', ')}.`);
  return 'ConnectInfo';
}

function readLogLevel(env: ConfigSurroundings['env'], problems: string[]): LogLevel {
  const text = env['SYNC_LOG_LEVEL'];
  if (text === undefined) return levelOfRustLog(env['RUST_LOG'] ?? '') ?? 'info';
  const level = levelOf(text);
  if (level !== undefined) return level;
  problems.push(`SYNC_LOG_LEVEL: ${quoted(text)} is not a level. Use one of ${LOG_LEVELS.join(', ')}.`);
  return 'info';
}

/** `anki=debug`, `debug` or `warn,anki=debug`: what is set for users of the official server. Others are not ours. */
function levelOfRustLog(text: string): LogLevel | undefined {
  const directives = text.split(',').map((directive) => directive.trim().split('='));
  const ours = directives.findLast(([target]) => target === 'anki' || target?.startsWith('anki::'));
  if (ours !== undefined) return levelOf(ours[1] ?? 'trace');
  return levelOf(directives.findLast((directive) => directive.length === 1)?.[0] ?? '');
}

function levelOf(text: string): LogLevel | undefined {
  return LOG_LEVELS.find((level) => level === text.toLowerCase());
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
