/** What SQLite may leave beside a database: changes that are not in the main file yet, or that were not finished. */
export const COMPANIONS = ['-wal', '-journal'] as const;
