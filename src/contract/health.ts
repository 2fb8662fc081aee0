/** What `get_plugin_health`, `get_metrics` and `get_execution_history` answer. Times in milliseconds. */
import type { DenialCounts } from './denial.ts'
import type { PluginState } from './life.ts'

/** How long executions took, from acceptance to answer; null before the first one. */
export interface TimeFigures {
  mean_ms: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  max_ms: number
}

export interface CallFigures {
  total: number
  /** Answered with `success: true`. */
  succeeded: number
  /** The plugin's own failures: `success: false`. */
  failed: number
  /** The system's failures: crashed, over a limit, timed out, refused. */
  rejected: number
  cancelled: number
  /** Of all that were answered and not cancelled; null before the first. */
  success_rate: number | null
  error_rate: number | null
  times: TimeFigures | null
}

export interface QueueFigures {
  waiting: number
  in_flight: number
  by_priority: Record<Priority, number>
  /** How long the oldest one waits. */
  oldest_ms: number
  /** Answered with QUEUE_FULL since the start. */
  refused: number
}

export const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const
export type Priority = (typeof PRIORITIES)[number]

export type BreakerState = 'closed' | 'open' | 'half_open'

export interface BreakerInfo {
  operation: string
  state: BreakerState
  /** Of the calls in its window; null where there were none. */
  failure_rate: number | null
  /** When an open breaker lets the next call try, in milliseconds from now; null unless it is open. */
  retry_in_ms: number | null
}

export interface OperationFigures extends CallFigures {
  operation: string
}

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'idle' | 'unknown'

export interface PluginHealth {
  plugin_id: string
  /** `idle`: enabled, and no process runs. `degraded`: reasons stand in `reasons`. */
  status: HealthStatus
  /** What makes it less than healthy, in words. */
  reasons: string[]
  state: PluginState
  generation: number
  calls: CallFigures
  operations: OperationFigures[]
  queue: QueueFigures
  denials: DenialCounts
  network: NetworkFigures
  breakers: BreakerInfo[]
  /** Of all its processes; null where none runs. */
  memory_bytes: number | null
  /** All its processes since the daemon's start. */
  cpu_time_ms: number
  /** Share of one core over the last sampling window; null where no process runs. */
  cpu_share: number | null
  restarts: number
  /** Since the oldest of its running processes became ready; null where none runs. */
  uptime_ms: number | null
  last_error: { at: string; code: string; message: string; operation: string } | null
  /** What its own `health()` says, per process; empty where it has none. */
  reported: ReportedHealth[]
}

export interface ReportedHealth {
  workspace: string
  /** Null where it failed, and where it said nothing within half a second. */
  health: unknown
  /** How it failed, in words; null where it did not. */
  problem: string | null
}

/** What a plugin's processes did through the daemon's proxy since the daemon's start. */
export interface NetworkFigures {
  /** Plain HTTP requests and tunnels: what happens inside a tunnel is the plugin's and the server's alone. */
  requests: number
  /** Tunnels (CONNECT): what `https:` and `wss:` go through. */
  connections: number
  /** Both ways: heads and bodies of plain requests, and all that went through tunnels. */
  bytes: number
}

export interface PluginMetrics {
  plugin_id: string
  state: PluginState
  generation: number
  instances: number
  restarts: number
  memory_bytes: number | null
  cpu_time_ms: number
  cpu_share: number | null
  calls: CallFigures
  operations: OperationFigures[]
  queue: QueueFigures
  /** What it was refused, by kind of permission. */
  denials: DenialCounts
  network: NetworkFigures
}

export interface SystemMetrics {
  at: string
  uptime_ms: number
  /** The daemon itself. */
  daemon: { memory_bytes: number; cpu_time_ms: number; event_loop_delay_p99_ms: number }
  calls: CallFigures
  queue: QueueFigures
  instances: number
  restarts: number
  plugins: PluginMetrics[]
}

/** One answered call, as the history keeps it. Inputs and results are never kept. */
export interface HistoryEntry {
  execution_id: string | null
  plugin_id: string
  operation: string
  workspace: string
  generation: number
  priority: Priority
  at: string
  outcome: 'succeeded' | 'failed' | 'rejected' | 'cancelled'
  /** The error's code where it was rejected; null otherwise. */
  code: string | null
  /** The error's words, cut; null where it succeeded. */
  error: string | null
  execution_time_ms: number
  memory_used_bytes: number
  cpu_time_ms: number
}
