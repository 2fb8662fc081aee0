import type { HistoryEntry } from '../../src/contract/health.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { ExecutionFilter, ExecutionRow } from '../store/execution-table.ts'

/** What the table's query does, for rows that are not in it yet. */
export function isAskedFor(
  row: ExecutionRow,
  { pluginId, outcome, connection, beforeUs }: ExecutionFilter,
): boolean {
  return (
    (pluginId === null || row.plugin_id === pluginId) &&
    (outcome === null || row.outcome === outcome) &&
    (connection === null || row.connection === connection) &&
    (beforeUs === null || row.at_us < beforeUs)
  )
}

/** `at` with microseconds: they tell entries of one millisecond apart. */
export function toEntry({ at_us: atUs, connection: _unshown, ...row }: ExecutionRow): HistoryEntry {
  const milliseconds = new Date(Math.floor(atUs / 1000)).toISOString()
  return { ...row, at: milliseconds.replace('Z', `${String(atUs % 1000).padStart(3, '0')}Z`) }
}

export function toMicroseconds(at: string): number {
  const ms = Date.parse(at)
  if (Number.isNaN(ms)) {
    throw new PhantomError(
      'PARAMS_INVALID',
      `Cannot read the execution history: "before" is ${quoteText(at)}, expected a time in ISO 8601. ` +
        `Give the "at" of an entry`,
    )
  }
  return ms * 1000 + Number(/\.\d{3}(\d{3})/.exec(at)?.[1] ?? 0)
}
