import { type Environment, quoted, type Setting } from './setting.ts';

export const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export const LOG_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_LOG_LEVEL',
    byDefault: 'info',
    meaning: `How much to log: ${LOG_LEVELS.join(', ')}. Without it RUST_LOG=anki=debug and the like work too.`,
  },
  {
    name: 'SYNC_LOG_FORMAT',
    byDefault: 'text',
    meaning: 'text for people, json for programs: one object in each line.',
  },
];

/** How much to log. */
export function readLogLevel(env: Environment, problems: string[]): LogLevel {
  const text = env['SYNC_LOG_LEVEL'];
  if (text === undefined) return levelOfRustLog(env['RUST_LOG'] ?? '') ?? 'info';
  const level = levelOf(text);
  if (level !== undefined) return level;
  problems.push(`SYNC_LOG_LEVEL: ${quoted(text)} is not a level. Use one of ${LOG_LEVELS.join(', ')}.`);
  return 'info';
}

/** For whom to log. */
export function readLogFormat(text: string | undefined, problems: string[]): LogFormat {
  if (text === undefined) return 'text';
  const format = LOG_FORMATS.find((each) => each === text.toLowerCase());
  if (format !== undefined) return format;
  problems.push(`SYNC_LOG_FORMAT: ${quoted(text)} is not known. Use ${LOG_FORMATS.join(' or ')}.`);
  return 'text';
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
