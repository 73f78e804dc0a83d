import type { ExactInteger } from '../storage/exact-rows.ts';
import type { SyncWork } from './sync-work.ts';

/** When the collection was made, seconds: day 0 of its schedule begins there. */
export function readCreationSecs(work: SyncWork): ExactInteger {
  const value = work.plainSql.get('SELECT crt FROM col')?.[0];
  return typeof value === 'bigint' ? value : Number(value ?? 0);
}

export function writeCreationSecs(work: SyncWork, creationSecs: ExactInteger): void {
  work.plainSql.run('UPDATE col SET crt = ?', creationSecs);
}
