import type { Statements } from '../../storage/exact-rows.ts';
import { FormatError } from './format-error.ts';

/** In every schema. */
export const BIG_TABLES = ['col', 'notes', 'cards', 'revlog', 'graves'] as const;

const TABLE_NAMES = "SELECT lower(name) FROM sqlite_schema WHERE type = 'table'";

/** Throws `FormatError` if one of the tables is not there; extra ones are add-ons' own business. */
export function assertTables(statements: Statements, tables: readonly string[]): void {
  const present = new Set(statements.all(TABLE_NAMES).map(([name]) => name));
  const missing = tables.find((name) => !present.has(name));
  if (missing !== undefined) throw new FormatError(`The collection has no table "${missing}"`);
}
