import type { DatabaseSync } from 'node:sqlite';

/** Version of `media.db` that this program and the official server work with. */
export const mediaSchemaVersion = 4;

const VERSION_4 = `
  CREATE TABLE media (
    fname text NOT NULL PRIMARY KEY,
    csum blob NOT NULL,
    size int NOT NULL,
    usn int NOT NULL,
    mtime int NOT NULL
  );
  CREATE INDEX ix_usn ON media (usn);
  CREATE TABLE meta (
    last_usn int NOT NULL,
    total_bytes int NOT NULL,
    total_nonempty_files int NOT NULL
  );`;

const EMPTY_META = 'INSERT INTO meta (last_usn, total_bytes, total_nonempty_files) VALUES (0, 0, 0)';

// Version 3 forgot the hash of a deleted file; such records go, as they do on the official server, because version 4 has
// no place for them. `deleted` was the time of the deletion.
const VERSION_3_TO_4 = `
  DROP INDEX IF EXISTS ix_usn;
  ALTER TABLE media RENAME TO media_3;
  ALTER TABLE meta RENAME TO meta_3;
  ${VERSION_4}
  INSERT INTO media (fname, csum, size, usn, mtime)
    SELECT fname, csum, sz, usn, deleted FROM media_3 WHERE csum IS NOT NULL;
  INSERT INTO meta (last_usn, total_bytes, total_nonempty_files)
    SELECT coalesce(max(usn), 0), coalesce(sum(size), 0), count(CASE WHEN size > 0 THEN 1 END) FROM media;
  UPDATE meta SET last_usn = max(last_usn, coalesce((SELECT max(usn) FROM meta_3), 0));
  DROP TABLE media_3;
  DROP TABLE meta_3;`;

/**
 * Brings an index to version 4 in one transaction. Unlike the official server, which takes the highest usn of the rows
 * that stay, the counter of a version 3 never goes back: a client that is ahead of it would miss changes.
 */
export function migrateMediaDb(db: DatabaseSync): void {
  const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  if (version === mediaSchemaVersion) return;
  if (version > mediaSchemaVersion) throw new Error(`its version ${version} is newer than this server knows`);
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(version === 3 ? VERSION_3_TO_4 : `${VERSION_4} ${EMPTY_META};`);
    db.exec(`PRAGMA user_version = ${mediaSchemaVersion}; COMMIT;`);
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
  if (version === 3) db.exec('VACUUM');
}
