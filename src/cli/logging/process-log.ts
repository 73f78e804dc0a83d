import { pino } from 'pino';
import type { LogFormat } from '../../config/log-settings.ts';
import type { Log } from '../../log.ts';
import { flatFields, printable, textLine } from './log-line.ts';

/** Takes finished lines, such as standard output. */
export interface LineSink {
  write(text: string): unknown;
}

export interface LogOptions {
  readonly level: string;
  readonly format: LogFormat;
  readonly sink: LineSink;
}

/** The log of this process: one line for each entry, in either format. */
export function processLog({ level, format, sink }: LogOptions): Log {
  const finish = format === 'json' ? printable : textLine;
  return pino(
    {
      level: level === 'off' ? 'silent' : level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), ...(format === 'json' && { log: flatFields }) },
    },
    { write: (json: string) => void sink.write(finish(json)) },
  );
}

/** The log for people. */
export function textLog(level: string, sink: LineSink): Log {
  return processLog({ level, format: 'text', sink });
}
