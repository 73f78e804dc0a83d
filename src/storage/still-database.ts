import { DatabaseSync, type DatabaseSyncOptions } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/** Opens a database that nobody changes meanwhile, to read: without locks, and without files beside it. */
export function openStillDatabase(file: string, options: DatabaseSyncOptions = {}): DatabaseSync {
  return new DatabaseSync(new URL(`${pathToFileURL(file).href}?immutable=1`), { ...options, readOnly: true });
}
