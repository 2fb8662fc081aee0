import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Checkpoint, CheckpointTable } from './checkpoint-table.ts'

/**
 * The checkpoints of a state folder that nobody has open. From a copy: to open a database that a killed daemon left
 * changes it, and this one may be evidence. None where there is no database, or one from before there was a log.
 */
export function readCheckpoints(stateDirectory: string): Checkpoint[] {
  if (!existsSync(join(stateDirectory, 'state.db'))) return []
  const copy = mkdtempSync(join(tmpdir(), 'phantom-audit-'))
  try {
    for (const name of ['state.db', 'state.db-wal'])
      if (existsSync(join(stateDirectory, name))) copyFileSync(join(stateDirectory, name), join(copy, name))
    return readFrom(join(copy, 'state.db'))
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function readFrom(path: string): Checkpoint[] {
  const database = new DatabaseSync(path)
  try {
    const table = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'audit_checkpoints'").get()
    return table === undefined ? [] : new CheckpointTable(database).all()
  } finally {
    database.close()
  }
}
