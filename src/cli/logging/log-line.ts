import { inspect } from 'node:util';
import { pino } from 'pino';
import type { Log, LogFields } from '../../log.ts';

// What is logged comes partly from outside: addresses, names of clients, file names. Whatever it holds, an entry stays one
// line, no value can look like another field, and no terminal takes part of it for a command.

/** C0 but for the line's own end, DEL, C1, line and paragraph separators, and what turns the direction of the text. */
const unprintable = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The same line without characters that could do harm; they are written as in JSON. */
export function printable(line: string): string {
  const text = line.endsWith('\n') ? line.slice(0, -1) : line;
  return `${text.replaceAll(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

/**
 * An entry for people and for `grep`: time, level, text, then the fields as `name="value"`. The fields of requests have
 * the names that the official server uses. What is in `details` is for machines: the text has said it.
 */
export function textLine(level: keyof Log, fields: LogFields, text: string): string {
  let line = `${new Date().toISOString()} ${LEVEL_WORDS[level]} ${text}`;
  for (const key of Object.keys(fields)) if (key !== 'err' && key !== 'details') line += pair(key, fields[key]);
  if (fields['err'] instanceof Error) {
    for (const [key, value] of Object.entries(errorFields(pino.stdSerializers.err(fields['err']))))
      line += pair(key, value);
  }
  return printable(line);
}

/** All of one width. */
const LEVEL_WORDS = { error: 'ERROR', warn: 'WARN ', info: 'INFO ', debug: 'DEBUG' } as const;

function pair(key: string, value: unknown): string {
  return value === undefined ? '' : ` ${key}=${valueText(value)}`;
}

/** The fields of an entry in JSON: all on one level, errors as two texts. */
export function flatFields({ details, err, ...fields }: Record<string, unknown>): Record<string, unknown> {
  return { ...(typeof details === 'object' && details), ...fields, ...errorFields(err) };
}

/** Texts are quoted, so that one from outside can never look like another field or another line. */
function valueText(value: unknown): string {
  try {
    return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  } catch {
    return JSON.stringify(inspect(value)); // JSON has neither large integers nor circles.
  }
}

/** What happened and where is enough of an error. */
function errorFields(error: unknown): Record<string, unknown> {
  if (typeof error !== 'object' || error === null || !('message' in error)) return {};
  return { error: error.message, ...('stack' in error && { stack: error.stack }) };
}
