import { pino } from 'pino';
import type { Log } from '../log.ts';

/** Takes finished lines, such as standard output. */
export interface LineSink {
  write(text: string): unknown;
}

/**
 * Logs for people and for `grep`: time, level, text, then the fields as `name="value"`. The fields of requests have the
 * names that the official server uses.
 */
export function textLog(level: string, sink: LineSink): Log {
  const destination = { write: (json: string) => void sink.write(textLine(json)) };
  return pino(
    { level: level === 'off' ? 'silent' : level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
}

/** One line of pino as text. */
export function textLine(json: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const name = pino.levels.labels[Number(level)]?.toUpperCase().padEnd(5);
  const pairs = Object.entries({ ...fields, ...errorFields(err) }).map(([key, value]) => ` ${key}=${valueText(value)}`);
  return `${time} ${name} ${msg}${pairs.join('')}\n`;
}

/** Texts are quoted, so that one from outside can never look like another field or another line. */
function valueText(value: unknown): string {
  return JSON.stringify(value);
}

/** pino writes errors as objects; what happened and where is enough. */
function errorFields(error: unknown): Record<string, unknown> {
  if (typeof error !== 'object' || error === null || !('message' in error)) return {};
  return { error: error.message, ...('stack' in error && { stack: error.stack }) };
}
