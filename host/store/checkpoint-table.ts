import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Where the audit log's chain stood at a time. */
export interface Checkpoint {
  readonly sequence: number
  readonly hash: string
  /** The daemon closed its log there: nothing may follow until it opens it again. */
  readonly isClosed: boolean
}

/** One of so many lines keeps its checkpoint; the newest line always has one. */
const INTERVAL = 256
const KEPT = 4_096

const SQL = {
  latest: 'SELECT * FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1',
  all: 'SELECT * FROM audit_checkpoints ORDER BY sequence',
  save: 'INSERT OR REPLACE INTO audit_checkpoints (sequence, hash, closed) VALUES (?, ?, ?)',
  drop: 'DELETE FROM audit_checkpoints WHERE sequence = ?',
  dropOld: `DELETE FROM audit_checkpoints WHERE sequence <= (SELECT sequence FROM audit_checkpoints
    ORDER BY sequence DESC LIMIT 1 OFFSET ${KEPT})`,
  reopen: 'UPDATE audit_checkpoints SET closed = 0 WHERE closed = 1',
} as const

/** The audit log's checkpoints: kept apart from its file, so that a cut tail is found. */
export class CheckpointTable {
  readonly #database: DatabaseSync
  readonly #statements: Readonly<Record<keyof typeof SQL, StatementSync>>

  constructor(database: DatabaseSync) {
    this.#database = database
    const entries = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)])
    this.#statements = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>
  }

  latest(): Checkpoint | null {
    const row = this.#statements.latest.get()
    return row === undefined ? null : toCheckpoint(row)
  }

  all(): Checkpoint[] {
    return this.#statements.all.all().map(toCheckpoint)
  }

  /** The newest one moves with the log; one of each interval stays. */
  save({ sequence, hash, isClosed }: Checkpoint): void {
    const before = this.latest()
    const staysBehind =
      before !== null && Math.floor(before.sequence / INTERVAL) !== Math.floor(sequence / INTERVAL)
    this.#database.exec('BEGIN')
    try {
      if (before !== null && !staysBehind) this.#statements.drop.run(before.sequence)
      this.#statements.save.run(sequence, hash, isClosed ? 1 : 0)
      if (staysBehind) this.#statements.dropOld.run()
      this.#database.exec('COMMIT')
    } catch (error) {
      // A full disk has ended the transaction already (https://www.sqlite.org/lang_transaction.html).
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Durably: were this lost in a power cut, the lines after it would look forged. */
  reopen(): void {
    if (this.latest()?.isClosed !== true) return
    this.#database.exec('PRAGMA synchronous = FULL')
    try {
      this.#statements.reopen.run()
    } finally {
      this.#database.exec('PRAGMA synchronous = NORMAL')
    }
  }
}

function toCheckpoint(row: Record<string, unknown>): Checkpoint {
  return { sequence: Number(row['sequence']), hash: String(row['hash']), isClosed: row['closed'] === 1 }
}
