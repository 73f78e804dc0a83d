/**
 * Values beside a log text: user, file, counts. Never a password or a host key. `details` is an object of further ones that
 * the text has told already: they are for programs that read the log.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/** The shape of pino's logger that the rest of the program uses; workers pass their lines to the main thread. */
export interface Log {
  error(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
  info(fields: LogFields, text: string): void;
  debug(fields: LogFields, text: string): void;
}

/** For tests and tools that want silence. */
export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {} };
