import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import type { UserSetting } from '../accounts/accounts.ts';
import type { KeepingPolicy } from '../backup/retention.ts';
import type { Quota } from '../lanes/quota.ts';
import { inflatedPerPayload, MiB } from '../limits.ts';
import type { ListenAddress } from '../transport/listen-address.ts';
import { ADDRESS_SETTINGS, type IpHeader, readAddress } from './address-settings.ts';
import { DATA_SETTINGS, readBase, readPayloadMegs } from './data-settings.ts';
import { KEEPING_SETTINGS, readKeeping } from './keeping-settings.ts';
import { LISTEN_SETTINGS, readListeners } from './listen-settings.ts';
import { LOG_SETTINGS, type LogFormat, type LogLevel, readLogFormat, readLogLevel } from './log-settings.ts';
import { METRICS_SETTINGS, type MetricsSettings, readMetrics } from './metrics-settings.ts';
import { PROXY_SETTINGS, readProxies } from './proxy-settings.ts';
import { QUOTA_SETTINGS, readQuota } from './quota-settings.ts';
import { noSecretFiles, type SecretFiles, withSecrets } from './secret-files.ts';
import type { Environment, Setting } from './setting.ts';
import { readTlsFiles, TLS_SETTINGS, type TlsFiles } from './tls-settings.ts';
import { readDeviceKeys, readUsers, USER_SETTINGS } from './user-settings.ts';

/** All variables that are read, in the order in which they are explained. */
export const SETTINGS: readonly Setting[] = [
  ...USER_SETTINGS,
  ...DATA_SETTINGS,
  ...ADDRESS_SETTINGS,
  ...PROXY_SETTINGS,
  ...LISTEN_SETTINGS,
  ...TLS_SETTINGS,
  ...QUOTA_SETTINGS,
  ...LOG_SETTINGS,
  ...METRICS_SETTINGS,
  ...KEEPING_SETTINGS,
];

/** Everything that can be set, checked. */
export interface Config {
  /** All names differ. There may be others in the data folder. */
  readonly users: readonly UserSetting[];
  /** Does each device of these users get a key of its own? */
  readonly deviceKeys: boolean;
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
  /** Everywhere to listen, at least one. */
  readonly listen: readonly ListenAddress[];
  /** PEM files for HTTPS. */
  readonly tlsFiles: TlsFiles | undefined;
  readonly ipHeader: IpHeader;
  /** Who is believed about the address of a client: entries of `ProxyTrust`. */
  readonly trustedProxies: readonly string[];
  /** How much each user may store. */
  readonly quota: Quota;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly metrics: MetricsSettings;
  /** How long backups and displaced media are kept. */
  readonly keeping: KeepingPolicy;
}

/** The part of the settings that is about what lies in the data folder. */
export type KeepingConfig = Pick<Config, 'base' | 'inflatedBytesMax' | 'keeping' | 'users' | 'deviceKeys'>;

export type ConfigReading =
  | { readonly kind: 'config'; readonly config: Config; readonly warnings: readonly string[] }
  /** One line each, naming the variable and the remedy. */
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

export interface ConfigSurroundings {
  readonly env: Environment;
  /** Undefined when there is none. */
  readonly homeFolder: string | undefined;
  readonly platform: NodeJS.Platform;
  /** Where secrets may lie; by default only in variables. */
  readonly files?: SecretFiles;
}

/** What this process was started with. */
export function currentSurroundings(): ConfigSurroundings {
  const files = { read: (file: string) => readFileSync(file), list: (folder: string) => readdirSync(folder) };
  return { env: process.env, homeFolder: homeFolder(), platform: process.platform, files };
}

function homeFolder(): string | undefined {
  try {
    return homedir() || undefined;
  } catch {
    return undefined; // An account without one, as in some containers.
  }
}

/** Reads all settings. Nothing is touched; problems of all variables come together. */
export function readConfig({ env: given, homeFolder, platform, files }: ConfigSurroundings): ConfigReading {
  const problems: string[] = [];
  const env = withSecrets(given, files ?? noSecretFiles, problems);
  const warnings: string[] = [];
  const payloadMegs = readPayloadMegs(env['MAX_SYNC_PAYLOAD_MEGS'], problems);
  const own = readAddress(env, problems);
  const tlsFiles = readTlsFiles(env, problems);
  const config: Config = {
    users: readUsers(env, platform, problems, warnings),
    deviceKeys: readDeviceKeys(env['SYNC_DEVICE_KEYS'], problems),
    base: readBase(env['SYNC_BASE'], homeFolder, problems),
    ...own,
    listen: readListeners(env, { own, hasCertificate: tlsFiles !== undefined, pid: process.pid }, problems),
    tlsFiles,
    ...readProxies(env, problems, warnings),
    quota: readQuota(env, problems),
    payloadBytesMax: payloadMegs * MiB,
    inflatedBytesMax: payloadMegs * MiB * inflatedPerPayload,
    logLevel: readLogLevel(env, problems),
    logFormat: readLogFormat(env['SYNC_LOG_FORMAT'], problems),
    metrics: readMetrics(env, problems, warnings),
    keeping: readKeeping(env, problems),
  };
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'config', config, warnings };
}

/**
 * All that a command needs to work on the data folder: no address. Users count as far as they can be read, because who runs
 * a command need not have the secrets of the server.
 */
export function readKeepingConfig(surroundings: ConfigSurroundings): KeepingConfig | readonly string[] {
  const { env, homeFolder, platform, files } = surroundings;
  const problems: string[] = [];
  const payloadMegs = readPayloadMegs(env['MAX_SYNC_PAYLOAD_MEGS'], problems);
  const config: KeepingConfig = {
    base: readBase(env['SYNC_BASE'], homeFolder, problems),
    inflatedBytesMax: payloadMegs * MiB * inflatedPerPayload,
    keeping: readKeeping(env, problems),
    users: readUsers(withSecrets(env, files ?? noSecretFiles, []), platform, [], []),
    deviceKeys: readDeviceKeys(env['SYNC_DEVICE_KEYS'], problems),
  };
  return problems.length > 0 ? problems : config;
}
