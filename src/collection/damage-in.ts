import { assertReadable, findingOf } from '../storage/sqlite-damage.ts';
import { openStillDatabase } from '../storage/still-database.ts';
import { isUnicaseTable, quoteName, UNICASE_TABLES } from './canonical-form.ts';
import { hasSoundNames } from './sound-names.ts';
import { damageOf } from './stored-file.ts';

/** Page cache, KiB: the memory that the check needs, whatever the size of the file. */
const cacheKiB = 8 * 1024;

/**
 * Is a canonical collection that nobody changes meanwhile fit to be sent to a device that throws its own away for it?
 * What is wrong, or undefined. Every page of its tables is read. The file stays as it is, and others may have it open.
 * About a second for 500 MB: for the thread for heavy work.
 */
export async function damageIn(file: string): Promise<string | undefined> {
  if ((await lookAt(file)) === undefined) return undefined;
  assertReadable(file);
  return lookAt(file);
}

async function lookAt(file: string): Promise<string | undefined> {
  try {
    return damageInBigTables(file) ?? (await damageInUnicaseTables(file));
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw error;
    return damage;
  }
}

function damageInBigTables(file: string): string | undefined {
  const db = openStillDatabase(file);
  try {
    db.exec(`PRAGMA cell_size_check = ON; PRAGMA cache_size = -${cacheKiB}`);
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
    for (const name of tables.map((row) => String(row['name']))) {
      if (isUnicaseTable(name)) continue;
      const found = findingOf(db.prepare(`PRAGMA quick_check(${quoteName(name)})`).get()?.['quick_check']);
      if (found !== undefined) return `${name}: ${found}`;
    }
    return undefined;
  } finally {
    db.close();
  }
}

/** The small tables with names, by an SQLite that has the collation unless they are plainly sound. */
async function damageInUnicaseTables(file: string): Promise<string | undefined> {
  if (hasSoundNames(file)) return undefined;
  const { withUnicaseReader } = await import('./wasm/unicase-database.ts');
  return withUnicaseReader(file, (db) => {
    for (const name of UNICASE_TABLES) {
      const found = findingOf(db.selectValue(`PRAGMA integrity_check(${quoteName(name)})`));
      if (found !== undefined) return `${name}: ${found}`;
    }
    return undefined;
  });
}
