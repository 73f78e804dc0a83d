import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { quoteName, UNICASE_TABLES } from './canonical-form.ts';
import { damageOf } from './stored-file.ts';

/** Page cache, KiB: the memory that the check needs, whatever the size of the file. */
const cacheKiB = 8 * 1024;

/**
 * Is a collection that nobody changes meanwhile fit to be sent to a device that throws its own away for it? What is wrong,
 * or undefined. Every page of the tables that grow is read; the small ones with names, which need Anki's collation, are
 * read by every sync anyway. The file stays as it is. About a second for 500 MB: for the thread for heavy work.
 */
export function damageIn(file: string): string | undefined {
  // Immutable: without locks, and without files beside it.
  const db = new DatabaseSync(new URL(`${pathToFileURL(file).href}?immutable=1`), { readOnly: true });
  try {
    db.exec(`PRAGMA cell_size_check = ON; PRAGMA cache_size = -${cacheKiB}`);
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
    for (const name of tables.map((row) => String(row['name']))) {
      if (UNICASE_TABLES.some((table) => table === name.toLowerCase())) continue;
      const found = db.prepare(`PRAGMA quick_check(${quoteName(name)})`).get()?.['quick_check'];
      if (found !== 'ok') return `${name}: ${found}`;
    }
    return undefined;
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw error;
    return damage;
  } finally {
    db.close();
  }
}
