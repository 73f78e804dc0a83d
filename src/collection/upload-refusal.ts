import { messageOf } from '../errors.ts';
import { isMachineFault } from '../storage/sqlite-damage.ts';
import { DeclarationError } from './canonical-form.ts';
import { FormatError } from './format/format-error.ts';

/** What is wrong with an uploaded file, in words for the log. */
export class Refusal extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'Refusal';
  }
}

const REASONS = [Refusal, FormatError, DeclarationError];

/**
 * Why the file is refused, if that is what an error means: a check failed, SQLite could not read it, or an object in it
 * is not in Anki's format. Undefined for faults of the server, which the client must not take for a broken collection.
 */
export function refusalOf(error: unknown): string | undefined {
  if (REASONS.some((type) => error instanceof type)) return messageOf(error);
  if (!(error instanceof Error) || error.cause !== undefined) return undefined;
  const code = sqliteCodeOf(error);
  return code === undefined || isMachineFault(code) ? undefined : `SQLite: ${error.message}`;
}

/** Extended result code, of the native SQLite or the one in WebAssembly. */
function sqliteCodeOf(error: Error): number | undefined {
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode;
  return 'resultCode' in error && typeof error.resultCode === 'number' ? error.resultCode : undefined;
}
