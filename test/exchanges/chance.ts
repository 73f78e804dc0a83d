import type { CollectionContent } from './collection-content.ts';

/** Where the number of a field or template lies in its message: made by chance when it is made. */
const chanceNumbers: Readonly<Record<string, string>> = { fields: '9', templates: '8' };

/**
 * The content of a collection without what chance and the millisecond gave it when it was made: notetypes are numbered in
 * the order of their ids, fields and templates lose their random numbers. For comparing two freshly made collections.
 */
export function withoutChance(content: CollectionContent): unknown {
  const ids = Object.values(content.notetypes ?? {}).map((row) => Number(row.id));
  const names = new Map(ids.sort((a, b) => a - b).map((id, index) => [String(id), `notetype ${index + 1}`]));
  const renamed = (value: unknown): unknown => {
    if (typeof value === 'number') return names.get(String(value)) ?? value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(renamed);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [renamedKey(key, names), renamed(inner)]));
  };
  const tables = Object.entries(content).map(([table, rows]) => {
    const number = chanceNumbers[table];
    const plain = Object.entries(rows).map(([key, row]) => [
      key,
      number ? { ...row, config: without(row.config, number) } : row,
    ]);
    return [table, Object.fromEntries(plain)];
  });
  const { col, ...others } = Object.fromEntries(tables);
  return { col, ...Object(renamed(others)) };
}

function without(config: unknown, number: string): unknown {
  // Objects of old releases have no number.
  if (typeof config !== 'object' || config === null || !(number in config)) return config;
  return { ...config, [number]: 'by chance' };
}

/** Keys of rows hold the id of the notetype and sometimes an ordinal behind it. */
function renamedKey(key: string, names: ReadonlyMap<string, string>): string {
  return key.replace(/^\d+/, (digits) => names.get(digits) ?? digits);
}
