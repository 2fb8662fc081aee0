/**
 * What `execute_plugin` resolves with; the specification's `PluginExecutionResult`, field for field. A plugin's
 * own failure is `success: false` with its words in `error`; a failure of the system rejects instead.
 * The figures are measured by the host: a plugin cannot report its own bill.
 */
export interface PluginExecutionResult<Result = unknown> {
  plugin_id: string
  execution_id: string
  success: boolean
  result: Result | null
  error: string | null
  /** What the plugin logged at level `warn` during this call, then what the host has to say about it. */
  warnings: string[]
  /** What the plugin logged during this call, `level: text`, the last 100 lines; the rest is in its log. */
  logs: string[]
  /** From the moment the host accepted the call to its answer, queueing and start included. */
  execution_time_ms: number
  /** Resident memory of the plugin's process at the last sample of the call. */
  memory_used_bytes: number
  /** CPU time of the plugin's process over the call, see `metadata.figures`. */
  cpu_time_ms: number
  /** Files below the plugin's `fs_write` grants that came into being during the call, as absolute paths. */
  created_files: string[]
  network_requests: number
  metadata: ExecutionMetadata
}

export interface ExecutionMetadata {
  /**
   * What memory and CPU figures belong to. `call`: this call alone. `window`: the call was shorter than the
   * sampler's 10 ms, so they are those of its sampling window. `process`: other calls ran in the same process.
   */
  figures: 'call' | 'window' | 'process'
  generation: number
}

/** Progress of a call in flight, as the plugin reports it. */
export interface ExecutionProgress {
  execution_id: string
  /** Between 0 and 1, or null where the plugin cannot tell. */
  fraction: number | null
  message: string | null
}

/** One line of a plugin's log. */
export interface PluginLogLine {
  /** ISO 8601, UTC. */
  time: string
  plugin_id: string
  level: LogLevel
  source: 'log' | 'stdout' | 'stderr' | 'host'
  execution_id: string | null
  message: string
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
