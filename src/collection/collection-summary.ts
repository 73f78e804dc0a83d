import type { SqlValue, Statements } from '../storage/exact-rows.ts';
import type { CollectionFile } from './collection-file.ts';

/** What `meta` tells of a collection. */
export interface CollectionSummary {
  /** `col.mod` */
  readonly mtimeMs: number;
  /** `col.scm`: when the schema changed; a client with another value needs a full sync. */
  readonly schemaMtimeMs: number;
  readonly usn: number;
  /** There is no card. */
  readonly isEmpty: boolean;
  /** Bytes of the file. */
  readonly byteLength: number;
  /** The config has `schedVer` 2. */
  readonly needsScheduler2: boolean;
  /** The config has a time zone of creation. */
  readonly needsTimeZones: boolean;
}

/** Reads what `meta` tells; cheap on collections of any size. */
export function readSummary(file: CollectionFile): CollectionSummary {
  const [mod, scm, usn, hasCards] = file.sql.get('SELECT mod, scm, usn, EXISTS (SELECT 1 FROM cards) FROM col') ?? [];
  return {
    mtimeMs: plainNumber(mod),
    schemaMtimeMs: plainNumber(scm),
    usn: plainNumber(usn),
    isEmpty: hasCards === 0,
    byteLength: file.byteLength,
    needsScheduler2: rawConfigValue(file.sql, 'schedVer') === '2',
    needsTimeZones: /^-?\d+$/.test(rawConfigValue(file.sql, 'creationOffset') ?? ''),
  };
}

/** The JSON text of one config value. */
function rawConfigValue(sql: Statements, key: string): string | undefined {
  const value = sql.get('SELECT CAST(val AS TEXT) FROM config WHERE KEY = ?', key)?.[0];
  return typeof value === 'string' ? value.trim() : undefined;
}

function plainNumber(value: SqlValue | undefined): number {
  return typeof value === 'number' ? value : Number(value ?? 0);
}
