import { closeSync, openSync, readSync } from 'node:fs';

/** SQLite's result codes for a file that is none of its own, or no longer. */
const damageCodes = new Set([11 /* SQLITE_CORRUPT */, 26 /* SQLITE_NOTADB */]);

/** A file that SQLite must not see, because it would take it for a new database and write to it. */
export class DamagedFileError extends Error {}

/** What is wrong with a damaged file, as SQLite or a look at it tells, if that is why something failed. */
export function damageFoundBy(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof DamagedFileError) return error.message;
  if ('errcode' in error && typeof error.errcode === 'number' && damageCodes.has(error.errcode & 0xff)) {
    return error.message;
  }
  return damageFoundBy(error.cause);
}

/** SQLite's result codes that speak of this machine and not of the file: no memory, no space, no access. */
const MACHINE_FAULTS = new Set([
  3, // SQLITE_PERM
  5, // SQLITE_BUSY
  6, // SQLITE_LOCKED
  7, // SQLITE_NOMEM
  9, // SQLITE_INTERRUPT
  10, // SQLITE_IOERR
  13, // SQLITE_FULL
  14, // SQLITE_CANTOPEN
]);

/** Does a result code of SQLite, plain or extended, tell of a fault of this machine? */
export function isMachineFault(code: number): boolean {
  return MACHINE_FAULTS.has(code & 0xff);
}

/**
 * A line of SQLite's integrity check that is no finding: the check goes on when a page cannot be read, and tells the
 * reason among the damages.
 */
export class UnreadablePageError extends Error {
  constructor(line: string) {
    super(`The disk does not let the file be checked: ${line.replaceAll(/\s+/g, ' ')}`);
    this.name = 'UnreadablePageError';
  }
}

/** What an integrity check found in its first line; undefined when all is well. Throws when the disk kept it from looking. */
export function findingOf(line: unknown): string | undefined {
  if (line === 'ok') return undefined;
  const text = String(line);
  const code = Number(/error code=(\d+)/.exec(text)?.[1]);
  // A page that the file does not have is told in other words ("invalid page number").
  if (isMachineFault(code) || text.includes('failed to get page')) throw new UnreadablePageError(text);
  return text;
}

/** Bytes that are read at a time. */
const pieceBytes = 1024 * 1024;

/**
 * SQLite takes some errors of the disk for damage of the file (`EIO` while it reads a page becomes `SQLITE_CORRUPT`), so
 * before a file is called damaged all of it is read here; throws what the disk says. When this returns, a second look
 * tells whether it was the file after all.
 */
export function assertReadable(file: string): void {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(pieceBytes);
    while (readSync(fd, buffer) > 0);
  } finally {
    closeSync(fd);
  }
}
