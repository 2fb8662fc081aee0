import type { HistoryEntry } from '../../src/contract/health.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import type { ExecutionFilter, ExecutionRow, ExecutionTable } from '../store/execution-table.ts'
import { Admission } from './admission.ts'
import { isAskedFor, toEntry, toMicroseconds } from './history-entry.ts'

/**
 * A row costs the daemon's loop 3.2 µs to write and 1.1 µs to drop again: at these rates under 1 % of a core. Up to
 * them every call is kept.
 */
const MAX_SUCCEEDED_PER_SECOND = 2_000
/** Higher, since these are what people look for; bounded, since a flood that is refused is one of them. */
const MAX_OTHERS_PER_SECOND = 5_000
const FLUSH_AFTER_MS = 500
const FLUSH_AT_ENTRIES = 1_000
/** One transaction: 0.6 ms that nothing else runs. */
const ENTRIES_PER_WRITE = 200
/** What waits for a disk that takes nothing. */
const MAX_UNWRITTEN = 50_000
/** Dropped at once, or each entry would move all that wait. */
const DROPPED_AT_ONCE = 1_000
const MAX_ERROR_CHARS = 500
const RETENTION_INTERVAL_MS = 3_600_000
/** Rows dropped in one go: 1 ms. */
const ROWS_PER_STEP = 1_000
/** More than are let in within a second. */
const LONGEST_BURST_US = 1_000_000
const DAY_US = 86_400_000_000

/** An entry as it comes off a call: the time is a number still. */
export type ExecutionEntry = Omit<ExecutionRow, 'at_us'> & { readonly atEpochMs: number }

export interface HistoryQuery {
  readonly pluginId?: string | null
  readonly outcome?: HistoryEntry['outcome'] | null
  /** Only that connection's calls. */
  readonly connection?: number | null
  /** Only what is older: the `at` of an entry. */
  readonly before?: string | null
  readonly limit: number
}

export interface Retention {
  readonly retentionDays: number
  readonly maxEntries: number
}

export interface HistoryOptions extends Retention {
  readonly table: ExecutionTable
  /** Takes secrets out of error words. */
  readonly redact: (text: string) => string
  /** For the daemon's log: writing has begun to fail, or works again. */
  readonly onNotice: (text: string) => void
  readonly epochMs: () => number
}

export interface HistoryFigures {
  readonly unwritten: number
  /** Left out because there were too many of them a second. */
  readonly thinned: number
  /** Lost because they could not be written. */
  readonly dropped: number
}

/**
 * The history of calls. Entries come in at the price of a push and are written in batches off the path of calls; what
 * waits when the process is killed, half a second's worth, is lost. Times are in microseconds and differ from entry
 * to entry, so that `before` neither skips nor repeats one.
 */
export class ExecutionHistory {
  readonly #options: HistoryOptions
  readonly #succeeded = new Admission(MAX_SUCCEEDED_PER_SECOND)
  readonly #others = new Admission(MAX_OTHERS_PER_SECOND)
  #retention: Retention
  #unwritten: ExecutionRow[] = []
  #dropped = 0
  #leftOutWritten = 0
  #lastUs = 0
  #isFailing = false
  #isClosed = false
  #flushTimer: NodeJS.Timeout | null = null
  #flushSoon: NodeJS.Immediate | null = null
  #retentionTimer: NodeJS.Timeout | null = null

  constructor(options: HistoryOptions) {
    this.#options = options
    this.#retention = options
  }

  get figures(): HistoryFigures {
    return {
      unwritten: this.#unwritten.length,
      thinned: this.#succeeded.thinned + this.#others.thinned,
      dropped: this.#dropped,
    }
  }

  /** Drops what is too old, now and every hour. */
  start(): void {
    this.#retentionTimer = setInterval(() => this.#dropOld(), RETENTION_INTERVAL_MS)
    this.#retentionTimer.unref()
    this.#dropOld()
  }

  /** Holds from now on; what is too much goes in small steps. */
  retain(retention: Retention): void {
    this.#retention = retention
    this.#dropOld()
  }

  /** On the path of every call. */
  add(entry: ExecutionEntry): void {
    if (this.#isClosed || this.#retention.retentionDays === 0) return
    const admission = entry.outcome === 'succeeded' ? this.#succeeded : this.#others
    if (!admission.admits(entry.atEpochMs)) return
    if (this.#unwritten.length >= MAX_UNWRITTEN) this.#dropOldest()
    this.#unwritten.push(this.#toRow(entry))
    if (this.#unwritten.length >= FLUSH_AT_ENTRIES && !this.#isFailing) this.#writeSoon()
    else this.#writeLater()
  }

  /** Writes all that waits, at once. False where that failed: the entries wait on, up to their bound. */
  flush(): boolean {
    while (this.#unwritten.length > 0) if (!this.#writeSome()) return false
    return true
  }

  /** The newest first, those that wait to be written among them. */
  query(query: HistoryQuery): HistoryEntry[] {
    const { pluginId = null, outcome = null, connection = null, before = null, limit } = query
    const beforeUs = before === null ? null : toMicroseconds(before)
    const filter: ExecutionFilter = { pluginId, outcome, connection, beforeUs, limit }
    const unwritten = this.flush()
      ? []
      : this.#unwritten.filter((row) => isAskedFor(row, filter)).toReversed()
    return [...unwritten, ...this.#options.table.query(filter)].slice(0, limit).map(toEntry)
  }

  /** Writes what waits. The store may be closed after it. */
  close(): void {
    if (this.#isClosed) return
    this.flush()
    this.#isClosed = true
    for (const timer of [this.#flushTimer, this.#retentionTimer]) if (timer !== null) clearTimeout(timer)
    if (this.#flushSoon !== null) clearImmediate(this.#flushSoon)
  }

  #writeSoon(): void {
    this.#flushSoon ??= setImmediate(() => this.#writeSlice())
  }

  /** One transaction; full ones that wait behind it get their turn after whatever else the loop has to do. */
  #writeSlice(): void {
    this.#flushSoon = null
    if (this.#isClosed) return
    const isWritten = this.#writeSome()
    if (isWritten && this.#unwritten.length >= ENTRIES_PER_WRITE) this.#writeSoon()
    else if (this.#unwritten.length > 0) this.#writeLater()
  }

  #writeLater(): void {
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = null
      this.#writeSlice()
    }, FLUSH_AFTER_MS).unref()
  }

  #writeSome(): boolean {
    try {
      this.#writeRows(this.#unwritten.slice(0, ENTRIES_PER_WRITE))
    } catch (error) {
      if (!this.#isFailing) this.#options.onNotice(failureText(error))
      this.#isFailing = true
      return false
    }
    if (this.#isFailing) {
      this.#options.onNotice(`The execution history is written again. Entries lost so far: ${this.#dropped}`)
    }
    this.#isFailing = false
    return true
  }

  #writeRows(rows: readonly ExecutionRow[]): void {
    const { table } = this.#options
    const { thinned, dropped } = this.figures
    const leftOut = thinned + dropped
    table.write(rows, leftOut - this.#leftOutWritten)
    this.#leftOutWritten = leftOut
    this.#unwritten.splice(0, rows.length)
    // What came in on top goes out below: between two hourly looks there may be millions.
    const surplus = table.count - this.#retention.maxEntries
    if (surplus > 0) table.dropOldest(Math.min(surplus, 2 * rows.length))
  }

  #dropOldest(): void {
    this.#unwritten.splice(0, DROPPED_AT_ONCE)
    this.#dropped += DROPPED_AT_ONCE
  }

  /** Step by step, so that a long-stopped daemon's backlog holds nobody up. */
  #dropOld(): void {
    if (this.#isClosed) return
    const { table, epochMs, onNotice } = this.#options
    const { retentionDays, maxEntries } = this.#retention
    try {
      const tooOld = table.dropBefore(epochMs() * 1000 - retentionDays * DAY_US, ROWS_PER_STEP)
      const surplus = Math.min(table.count - maxEntries, ROWS_PER_STEP)
      const tooMany = surplus > 0 ? table.dropOldest(surplus) : 0
      if (tooOld + tooMany > 0) setImmediate(() => this.#dropOld())
    } catch (error) {
      onNotice(
        `Cannot drop old entries of the execution history: ${messageOf(error)}. It is tried again in an hour`,
      )
    }
  }

  /** Field by field: a spread costs five times that. */
  #toRow(entry: ExecutionEntry): ExecutionRow {
    return {
      at_us: this.#nextUs(entry.atEpochMs),
      execution_id: entry.execution_id,
      plugin_id: entry.plugin_id,
      operation: entry.operation,
      workspace: entry.workspace,
      generation: entry.generation,
      priority: entry.priority,
      outcome: entry.outcome,
      code: entry.code,
      error: this.#toWords(entry.error),
      execution_time_ms: finite(entry.execution_time_ms),
      memory_used_bytes: finite(entry.memory_used_bytes),
      cpu_time_ms: finite(entry.cpu_time_ms),
      connection: entry.connection,
    }
  }

  #nextUs(atEpochMs: number): number {
    const us = Math.floor(atEpochMs) * 1000
    // Those of one millisecond stand a microsecond apart, a burst reaches into the next ones. Only a clock that was
    // set back leads back.
    const isBurst = this.#lastUs >= us && this.#lastUs < us + LONGEST_BURST_US
    this.#lastUs = isBurst ? this.#lastUs + 1 : us
    return this.#lastUs
  }

  /** Redacted before it is cut: half a secret would not be recognised. The copy lets go of the long text. */
  #toWords(error: string | null): string | null {
    if (error === null) return null
    const text = this.#options.redact(error)
    return text.length <= MAX_ERROR_CHARS ? text : Buffer.from(text.slice(0, MAX_ERROR_CHARS)).toString()
  }
}

function failureText(error: unknown): string {
  return (
    `Cannot write the execution history: ${messageOf(error)}. Calls go on, and the last ${MAX_UNWRITTEN} entries ` +
    `wait in memory. See that the disk of the state folder has room`
  )
}

/** SQLite takes NaN for NULL, which no column here takes: one such row would hold all others up. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0
}
