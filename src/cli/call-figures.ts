/** Calls, times and queues in words; shared by `health`, `metrics` and `status`. */
import { PRIORITIES, type CallFigures, type QueueFigures, type TimeFigures } from '../contract/health.ts'
import { formatBytes, formatDuration, formatShare } from './figures.ts'
import type { TableRow } from './table.ts'

export function formatCalls(calls: CallFigures): string {
  const { total, succeeded, failed, rejected, cancelled } = calls
  if (total === 0) return 'none yet'
  return `${total}: ${succeeded} succeeded, ${failed} failed, ${rejected} rejected, ${cancelled} cancelled`
}

export function formatTimes(times: TimeFigures | null): string {
  if (times === null) return '-'
  const parts = [
    ['mean', times.mean_ms],
    ['p50', times.p50_ms],
    ['p95', times.p95_ms],
    ['p99', times.p99_ms],
    ['at most', times.max_ms],
  ] as const
  return parts.map(([name, timeMs]) => `${name} ${formatDuration(timeMs)}`).join(', ')
}

export function formatQueue(queue: QueueFigures): string {
  const waiting = PRIORITIES.toReversed()
    .filter((priority) => queue.by_priority[priority] > 0)
    .map((priority) => `${queue.by_priority[priority]} ${priority}`)
  const oldest =
    queue.waiting === 0 ? '' : ` (${waiting.join(', ')}; the oldest for ${formatDuration(queue.oldest_ms)})`
  return `${queue.in_flight} running, ${queue.waiting} waiting${oldest}, ${queue.refused} refused`
}

/** Headed rows with the figures that are the same for a plugin and for an operation of one. */
export function callRows(first: string, rows: readonly (CallFigures & { name: string })[]): TableRow[] {
  const heads = [first, 'CALLS', 'SUCCESS', 'P50', 'P95', 'P99']
  return [{ cells: heads }, ...rows.map((row) => ({ cells: [row.name, ...callCells(row)] }))]
}

export function callCells({ total, success_rate: rate, times }: CallFigures): string[] {
  const shown = times === null ? [] : [times.p50_ms, times.p95_ms, times.p99_ms]
  const [p50 = '-', p95 = '-', p99 = '-'] = shown.map((timeMs) => formatDuration(timeMs))
  return [String(total), formatShare(rate), p50, p95, p99]
}

export function formatMemory(bytes: number | null): string {
  return bytes === null ? '-' : formatBytes(bytes)
}

/** CPU time so far, and the share of a core where something runs. */
export function formatCpu(timeMs: number, share: number | null): string {
  return `${formatDuration(timeMs)}${share === null ? '' : `, ${formatShare(share)} of a core`}`
}
