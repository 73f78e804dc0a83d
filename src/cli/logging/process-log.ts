import { pino } from 'pino';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '../../config/log-settings.ts';
import type { Log } from '../../log.ts';
import { flatFields, printable, textLine } from './log-line.ts';

/** Takes finished lines, such as standard output. */
export interface LineSink {
  write(text: string): unknown;
  /** Lets nothing wait any longer. */
  flush?(): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly sink: LineSink;
}

/** The log of this process: one line for each entry, in either format. What is wrong is handed over at once. */
export function processLog({ level, format, sink }: LogOptions): Log {
  const log = format === 'json' ? jsonLog(level, sink) : textLog(level, sink);
  const urgent =
    (each: 'error' | 'warn'): Log['info'] =>
    (fields, text) => {
      log[each](fields, text);
      sink.flush?.();
    };
  return {
    error: urgent('error'),
    warn: urgent('warn'),
    info: (fields, text) => log.info(fields, text),
    debug: (fields, text) => log.debug(fields, text),
  };
}

/** The log for people. */
export function textLog(level: LogLevel, sink: LineSink): Log {
  const at = (each: keyof Log): Log['info'] => {
    if (LOG_LEVELS.indexOf(each) > LOG_LEVELS.indexOf(level)) return () => {};
    return (fields, text) => void sink.write(textLine(each, fields, text));
  };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** The log for programs. */
function jsonLog(level: LogLevel, sink: LineSink): Log {
  return pino(
    {
      level: level === 'off' ? 'silent' : level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: flatFields },
    },
    { write: (json: string) => void sink.write(printable(json)) },
  );
}
