import { LOG_LEVELS } from '../execution.ts'
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_RESTART_INTENSITY,
  DEFAULT_RESTART_PERIOD_MS,
  DEFAULT_SHUTDOWN_MS,
  MAX_QUEUED_CALLS,
  MAX_THREADS,
  MIN_OPEN_FILES,
  MIN_PROCESSES,
} from '../limits.ts'
import type { PluginType } from '../life.ts'
import {
  RUNTIME_CAPABILITIES,
  type ManifestLimits,
  type ManifestRestart,
  type ManifestRuntime,
} from '../manifest.ts'
import type { IssueList } from './issue-list.ts'
import { SILENT_LIMITS } from './silent-limits.ts'
import type { TableReader } from './table-reader.ts'

const DAY_MS = 86_400_000
const TEBIBYTE_IN_MB = 1_048_576
/** A 32-bit count. */
const MAX_COUNT = 2_147_483_647
/** The kernel's own ceilings: fs.nr_open as it comes, PID_MAX_LIMIT. */
const MAX_OPEN_FILES = 1_048_576
const MAX_PROCESSES = 4_194_304
/** A thousand cores. */
const MAX_CPU_PERCENT = 100_000
const MAX_CONCURRENCY = 1024
/** Whoever stops a daemon waits for it. */
const MAX_SHUTDOWN_MS = 600_000
const MAX_INTENSITY = 1000

/** OTP's words for what becomes of a plugin whose process ended. */
const RESTART_POLICIES = ['permanent', 'transient', 'temporary'] as const
const ACTIVATIONS = ['on_call', 'eager'] as const
const MAX_CALLS_PER_SECOND = 1_000_000

/** `[resource_limits]`. */
export function parseLimits(reader: TableReader): ManifestLimits {
  const integer = (key: string, min: number, max: number): number | null => reader.integer(key, { min, max })
  const { maxMemoryMb, maxExecutionTimeMs } = SILENT_LIMITS
  return {
    maxMemoryMb: integer('max_memory_mb', 1, TEBIBYTE_IN_MB) ?? maxMemoryMb,
    maxExecutionTimeMs: integer('max_execution_time_ms', 1, DAY_MS) ?? maxExecutionTimeMs,
    maxCallsPerSecond: integer('max_calls_per_second', 1, MAX_CALLS_PER_SECOND),
    maxCpuTimeMs: integer('max_cpu_time_ms', 1, DAY_MS),
    maxCpuPercent: integer('max_cpu_percent', 1, MAX_CPU_PERCENT),
    maxOpenFiles: integer('max_open_files', MIN_OPEN_FILES, MAX_OPEN_FILES),
    maxProcesses: integer('max_processes', MIN_PROCESSES, MAX_PROCESSES),
    maxFileSizeMb: integer('max_file_size_mb', 1, TEBIBYTE_IN_MB),
    maxDiskMb: integer('max_disk_mb', 1, TEBIBYTE_IN_MB),
    maxOutputBytes: integer('max_output_bytes', 1, Number.MAX_SAFE_INTEGER),
    maxNetworkConnections: integer('max_network_connections', 0, MAX_COUNT),
    maxNetworkBytes: integer('max_network_bytes', 0, Number.MAX_SAFE_INTEGER),
    maxNetworkRequests: integer('max_network_requests', 0, MAX_COUNT),
  }
}

/** `[runtime]`. */
export function parseRuntime(reader: TableReader, type: PluginType, issues: IssueList): ManifestRuntime {
  if (type !== 'javascript') rejectKeysOfNode(reader, type, issues)
  const concurrency = reader.integer('concurrency', { min: 1, max: MAX_CONCURRENCY }) ?? DEFAULT_CONCURRENCY
  if (type === 'wasm' && concurrency > 1) rejectConcurrency(reader, concurrency, issues)
  return {
    concurrency,
    threads: reader.integer('threads', { min: 0, max: MAX_THREADS }) ?? 0,
    eval: reader.flag('eval') ?? false,
    addons: reader.flag('addons') ?? false,
    sqlite: reader.flag('sqlite') ?? false,
    inspector: reader.flag('inspector') ?? false,
    ffi: reader.flag('ffi') ?? false,
    logLevel: reader.choice('log_level', LOG_LEVELS) ?? 'info',
    activation: reader.choice('activation', ACTIVATIONS) ?? 'on_call',
    idleTimeoutMs: reader.integer('idle_timeout_ms', { min: 0, max: DAY_MS }),
    standby: reader.integer('standby', { min: 0, max: 1 }) === 1 ? 1 : 0,
    exclusive: reader.flag('exclusive') ?? false,
    maxQueuedCalls: reader.integer('max_queued_calls', { min: 1, max: MAX_QUEUED_CALLS }) ?? MAX_QUEUED_CALLS,
  }
}

/** They open parts of Node, and there is none: whoever sets one expects something that would not come. */
function rejectKeysOfNode(reader: TableReader, type: PluginType, issues: IssueList): void {
  for (const key of ['eval', ...RUNTIME_CAPABILITIES]) {
    if (!reader.has(key)) continue
    const problem = `it opens a part of Node for JavaScript, and the type is "${type}"`
    issues.error(reader.pathOf(key), { problem, remedy: 'Remove it' })
  }
}

/** Its memory is one, and its functions return before they are entered again. */
function rejectConcurrency(reader: TableReader, concurrency: number, issues: IssueList): void {
  issues.error(reader.pathOf('concurrency'), {
    problem: `it is ${concurrency}, and an instance of type "wasm" runs one call at a time`,
    remedy: 'Remove it: calls of other workspaces have instances of their own',
  })
}

/** `[restart]`. */
export function parseRestart(reader: TableReader): ManifestRestart {
  return {
    policy: reader.choice('policy', RESTART_POLICIES) ?? 'transient',
    intensity: reader.integer('intensity', { min: 0, max: MAX_INTENSITY }) ?? DEFAULT_RESTART_INTENSITY,
    periodMs: reader.integer('period_ms', { min: 1, max: DAY_MS }) ?? DEFAULT_RESTART_PERIOD_MS,
    shutdownMs: reader.integer('shutdown_ms', { min: 0, max: MAX_SHUTDOWN_MS }) ?? DEFAULT_SHUTDOWN_MS,
  }
}
