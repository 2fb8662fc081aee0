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
  // `at_us`, microseconds since 1970, is the row's key: in order of time with no index of its own. An index ends
  // with the row's key, so the one by plugin is in order of time, too.
  `CREATE TABLE executions (
     at_us INTEGER PRIMARY KEY,
     plugin_id TEXT NOT NULL,
     operation TEXT NOT NULL,
     execution_id TEXT,
     workspace TEXT NOT NULL,
     generation INTEGER NOT NULL,
     priority TEXT NOT NULL,
     outcome TEXT NOT NULL,
     code TEXT,
     error TEXT,
     execution_time_ms REAL NOT NULL,
     memory_used_bytes REAL NOT NULL,
     cpu_time_ms REAL NOT NULL
   ) STRICT;
   CREATE INDEX executions_by_plugin ON executions (plugin_id);
   CREATE TABLE incidents (
     sequence INTEGER PRIMARY KEY,
     plugin_id TEXT NOT NULL,
     at TEXT NOT NULL,
     kind TEXT NOT NULL,
     generation INTEGER NOT NULL,
     class TEXT,
     message TEXT NOT NULL,
     workspace TEXT,
     limits TEXT NOT NULL,
     log TEXT NOT NULL,
     action TEXT NOT NULL
   ) STRICT;
   CREATE INDEX incidents_by_plugin ON incidents (plugin_id, sequence);`,
  `CREATE TABLE audit_checkpoints (
     sequence INTEGER PRIMARY KEY,
     hash TEXT NOT NULL,
     closed INTEGER NOT NULL
   ) STRICT;`,
  // What somebody decided last about a plugin; who decided what before stands in the audit log.
  `CREATE TABLE approvals (
     plugin_id TEXT PRIMARY KEY,
     source TEXT NOT NULL,
     digest TEXT NOT NULL,
     asked TEXT NOT NULL,
     granted TEXT NOT NULL,
     actor TEXT,
     at TEXT NOT NULL
   ) STRICT;`,
  `ALTER TABLE executions ADD COLUMN connection INTEGER;`,
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
