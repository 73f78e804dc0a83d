import { type JsonObject, type JsonValue, parseJsonBytes, stringifyJson } from './format/json.ts';
import type { SyncWork } from './sync-work.ts';

const PUT = 'INSERT OR REPLACE INTO config (KEY, usn, mtime_secs, val) VALUES (?, ?, ?, ?)';

/** The whole config. */
export function readConfig(work: SyncWork): JsonObject {
  const rows = work.plainSql.all('SELECT KEY, val FROM config ORDER BY KEY');
  // From entries, because a key may be `__proto__`.
  return Object.fromEntries(rows.map(([key, value]) => [String(key), parseStored(value)]));
}

/** One value of the config; undefined when there is none. */
export function readConfigValue(work: SyncWork, key: string): JsonValue | undefined {
  const row = work.plainSql.get('SELECT val FROM config WHERE KEY = ?', key);
  return row === undefined ? undefined : parseStored(row[0]);
}

/** Sets one value. */
export function writeConfigValue(work: SyncWork, key: string, value: JsonValue): void {
  work.plainSql.run(
    PUT,
    key,
    work.session.serverUsn,
    work.nowSecs,
    Buffer.from(stringifyJson(value, { sortKeys: true })),
  );
}

/** Replaces the whole config: keys that are missing in the new one disappear. */
export function replaceConfig(work: SyncWork, config: JsonObject): void {
  work.plainSql.run('DELETE FROM config');
  for (const [key, value] of Object.entries(config)) writeConfigValue(work, key, value);
}

function parseStored(value: unknown): JsonValue {
  return parseJsonBytes(value instanceof Uint8Array ? value : Buffer.from(String(value)));
}
