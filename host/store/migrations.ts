import type { DatabaseSync } from 'node:sqlite'

/**
 * One entry a version, in order, each run in one transaction. Published entries never change: a database in the
 * field has run them. `plugins.number` becomes part of uids and gids, so AUTOINCREMENT: never given out twice.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE plugins (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     state TEXT NOT NULL,
     version TEXT,
     first_seen TEXT NOT NULL,
     updated_at TEXT NOT NULL,
     reason TEXT
   ) STRICT;
   CREATE TABLE exits (
     sequence INTEGER PRIMARY KEY,
     plugin_id TEXT NOT NULL,
     generation INTEGER NOT NULL,
     class TEXT NOT NULL,
     code INTEGER,
     signal TEXT,
     message TEXT NOT NULL,
     at TEXT NOT NULL
   ) STRICT;
   CREATE INDEX exits_by_plugin ON exits (plugin_id, sequence);
   CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
]

export function readSchemaVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
}

/** Brings the database to the newest version; a failing step leaves the version before it. */
export function migrate(database: DatabaseSync): void {
  for (let version = readSchemaVersion(database); version < MIGRATIONS.length; version += 1) {
    database.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[version]} PRAGMA user_version = ${version + 1}; COMMIT`)
  }
}
