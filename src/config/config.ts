import { homedir } from 'node:os';
import type { UserSetting } from '../accounts/accounts.ts';
import type { KeepingPolicy } from '../backup/retention.ts';
import { inflatedPerPayload, MiB } from '../limits.ts';
import { ADDRESS_SETTINGS, type IpHeader, readAddress, readIpHeader } from './address-settings.ts';
import { DATA_SETTINGS, readBase, readPayloadMegs } from './data-settings.ts';
import { KEEPING_SETTINGS, readKeeping } from './keeping-settings.ts';
import { LOG_SETTINGS, type LogLevel, readLogLevel } from './log-settings.ts';
import type { Environment, Setting } from './setting.ts';
import { readUsers, USER_SETTINGS } from './user-settings.ts';

/** All variables that are read, in the order in which they are explained. */
export const SETTINGS: readonly Setting[] = [
  ...USER_SETTINGS,
  ...DATA_SETTINGS,
  ...ADDRESS_SETTINGS,
  ...LOG_SETTINGS,
  ...KEEPING_SETTINGS,
];

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

export type ConfigReading =
  | { readonly kind: 'config'; readonly config: Config; readonly warnings: readonly string[] }
  /** One line each, naming the variable and the remedy. */
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

export interface ConfigSurroundings {
  readonly env: Environment;
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
