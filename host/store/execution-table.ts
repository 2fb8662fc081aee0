import type { DatabaseSync, StatementResultingChanges, StatementSync } from 'node:sqlite'
import type { HistoryEntry, Priority } from '../../src/contract/health.ts'

/** As in SQLite's statements: `at_us` is microseconds since 1970, and the key. */
export type ExecutionRow = Omit<HistoryEntry, 'at'> & {
  readonly at_us: number
  /** Of whoever called; null where nobody knows. Never shown. */
  readonly connection: number | null
}

export interface ExecutionFilter {
  readonly pluginId: string | null
  readonly outcome: HistoryEntry['outcome'] | null
  /** Only that connection's calls; null for everybody's. */
  readonly connection: number | null
  /** Only what is older. */
  readonly beforeUs: number | null
  readonly limit: number
}

const COLUMNS = `at_us, plugin_id, operation, execution_id, workspace, generation, priority, outcome, code, error,
  execution_time_ms, memory_used_bytes, cpu_time_ms, connection`
const INSERT = `INSERT INTO executions (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (at_us) DO NOTHING`
/** A fact, as the store keeps them: how many executions its history lacks. */
const ADD_LEFT_OUT = `INSERT INTO facts (key, value) VALUES ('executions_left_out', CAST(?1 AS INTEGER))
  ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + CAST(?1 AS INTEGER)`
/** A second. */
const NEAR_ENOUGH_US = 1_000_000
const COUNT = 'SELECT count(*) AS count FROM executions'
const DROP_OLDEST =
  'DELETE FROM executions WHERE at_us IN (SELECT at_us FROM executions ORDER BY at_us LIMIT ?)'
const DROP_BEFORE =
  'DELETE FROM executions WHERE at_us IN (SELECT at_us FROM executions WHERE at_us < ? ORDER BY at_us LIMIT ?)'
/** Conditions that are not asked for are true of every row; SQLite plans each text by the key or the plugin's index. */
const QUERY_ALL = `SELECT * FROM executions
  WHERE at_us < ?1 AND (?2 IS NULL OR outcome = ?2) AND (?4 IS NULL OR connection = ?4) ORDER BY at_us DESC LIMIT ?3`
const QUERY_PLUGIN = `SELECT * FROM executions
  WHERE plugin_id = ?5 AND at_us < ?1 AND (?2 IS NULL OR outcome = ?2) AND (?4 IS NULL OR connection = ?4) ORDER BY at_us DESC LIMIT ?3`

/** The history's rows on disk. */
export class ExecutionTable {
  readonly #database: DatabaseSync
  readonly #insert: StatementSync
  readonly #addLeftOut: StatementSync
  readonly #dropOldest: StatementSync
  readonly #dropBefore: StatementSync
  readonly #queryAll: StatementSync
  readonly #queryPlugin: StatementSync
  /** Counting takes SQLite a walk over an index: done once. */
  #count: number

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#insert = database.prepare(INSERT)
    this.#addLeftOut = database.prepare(ADD_LEFT_OUT)
    this.#dropOldest = database.prepare(DROP_OLDEST)
    this.#dropBefore = database.prepare(DROP_BEFORE)
    this.#queryAll = database.prepare(QUERY_ALL)
    this.#queryPlugin = database.prepare(QUERY_PLUGIN)
    this.#count = Number(database.prepare(COUNT).get()?.['count'])
  }

  get count(): number {
    return this.#count
  }

  /**
   * All of them, or none: a failure throws and leaves the table as it was. `leftOut` more were not kept; they are
   * counted in the fact `executions_left_out`.
   */
  write(rows: readonly ExecutionRow[], leftOut: number): void {
    this.#database.exec('BEGIN')
    try {
      let lastUs = 0
      for (const row of rows) lastUs = this.#add(row, lastUs)
      if (leftOut > 0) this.#addLeftOut.run(leftOut)
      this.#database.exec('COMMIT')
      this.#count += rows.length
    } catch (error) {
      // A full disk has ended the transaction already (https://www.sqlite.org/lang_transaction.html).
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** The newest first. */
  query({ pluginId, outcome, connection, beforeUs, limit }: ExecutionFilter): ExecutionRow[] {
    const before = beforeUs ?? Number.MAX_SAFE_INTEGER
    const rows =
      pluginId === null
        ? this.#queryAll.all(before, outcome, limit, connection)
        : this.#queryPlugin.all(before, outcome, limit, connection, pluginId)
    return rows.map(fromColumns)
  }

  /** Drops the oldest ones, at most so many; answers how many. */
  dropOldest(limit: number): number {
    return this.#dropped(this.#dropOldest.run(limit).changes)
  }

  dropBefore(beforeUs: number, limit: number): number {
    return this.#dropped(this.#dropBefore.run(beforeUs, limit).changes)
  }

  #dropped(changes: number | bigint): number {
    this.#count -= Number(changes)
    return Number(changes)
  }

  /**
   * Answers the time under which it stands. Where the clock was set back, that of the row may be taken: the next free
   * one is near enough, and is looked for once for all rows that want the same.
   */
  #add(row: ExecutionRow, lastUs: number): number {
    let atUs = lastUs >= row.at_us && lastUs < row.at_us + NEAR_ENOUGH_US ? lastUs + 1 : row.at_us
    while (this.#insertAt(atUs, row).changes === 0) atUs += 1
    return atUs
  }

  #insertAt(atUs: number, row: ExecutionRow): StatementResultingChanges {
    return this.#insert.run(
      atUs,
      row.plugin_id,
      row.operation,
      row.execution_id,
      row.workspace,
      row.generation,
      row.priority,
      row.outcome,
      row.code,
      row.error,
      row.execution_time_ms,
      row.memory_used_bytes,
      row.cpu_time_ms,
      row.connection,
    )
  }
}

function fromColumns(row: Record<string, unknown>): ExecutionRow {
  return {
    at_us: Number(row['at_us']),
    plugin_id: String(row['plugin_id']),
    operation: String(row['operation']),
    execution_id: row['execution_id'] as string | null,
    workspace: String(row['workspace']),
    generation: Number(row['generation']),
    priority: row['priority'] as Priority,
    outcome: row['outcome'] as HistoryEntry['outcome'],
    code: row['code'] as string | null,
    error: row['error'] as string | null,
    execution_time_ms: Number(row['execution_time_ms']),
    memory_used_bytes: Number(row['memory_used_bytes']),
    cpu_time_ms: Number(row['cpu_time_ms']),
    connection: row['connection'] as number | null,
  }
}
