import { LOG_LEVELS } from '../execution.ts'
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_MAX_EXECUTION_TIME_MS,
  DEFAULT_MAX_MEMORY_MB,
  DEFAULT_RESTART_INTENSITY,
  DEFAULT_RESTART_PERIOD_MS,
  DEFAULT_SHUTDOWN_MS,
  MAX_QUEUED_CALLS,
} from '../limits.ts'
import type { ManifestLimits, ManifestRestart, ManifestRuntime } from '../manifest.ts'
import type { IssueList } from './issue-list.ts'
import type { TableReader } from './table-reader.ts'

const DAY_MS = 86_400_000
const TEBIBYTE_IN_MB = 1_048_576
/** A 32-bit count. */
const MAX_COUNT = 2_147_483_647
const MAX_CONCURRENCY = 1024
/** Whoever stops a daemon waits for it. */
const MAX_SHUTDOWN_MS = 600_000
const MAX_INTENSITY = 1000

/** Checked as they will be, and not held yet. */
const LATER_LIMITS = {
  max_cpu_time_ms: { min: 1, max: DAY_MS },
  max_open_files: { min: 1, max: MAX_COUNT },
  max_processes: { min: 1, max: MAX_COUNT },
  max_disk_mb: { min: 1, max: TEBIBYTE_IN_MB },
  max_network_requests: { min: 0, max: MAX_COUNT },
} as const

/** OTP's words for what becomes of a plugin whose process ended. */
const RESTART_POLICIES = ['permanent', 'transient', 'temporary'] as const
const ACTIVATIONS = ['on_call', 'eager'] as const
const MAX_CALLS_PER_SECOND = 1_000_000

/** `[resource_limits]`. */
export function parseLimits(reader: TableReader, issues: IssueList): ManifestLimits {
  for (const [key, range] of Object.entries(LATER_LIMITS)) {
    if (reader.integer(key, range) !== null) warnUnenforced(reader, issues, key)
  }
  return {
    maxMemoryMb: reader.integer('max_memory_mb', { min: 1, max: TEBIBYTE_IN_MB }) ?? DEFAULT_MAX_MEMORY_MB,
    maxExecutionTimeMs:
      reader.integer('max_execution_time_ms', { min: 1, max: DAY_MS }) ?? DEFAULT_MAX_EXECUTION_TIME_MS,
    maxCallsPerSecond: reader.integer('max_calls_per_second', { min: 1, max: MAX_CALLS_PER_SECOND }),
  }
}

/** `[runtime]`. */
export function parseRuntime(reader: TableReader): ManifestRuntime {
  return {
    concurrency: reader.integer('concurrency', { min: 1, max: MAX_CONCURRENCY }) ?? DEFAULT_CONCURRENCY,
    eval: reader.flag('eval') ?? false,
    logLevel: reader.choice('log_level', LOG_LEVELS) ?? 'info',
    activation: reader.choice('activation', ACTIVATIONS) ?? 'on_call',
    idleTimeoutMs: reader.integer('idle_timeout_ms', { min: 0, max: DAY_MS }),
    standby: reader.integer('standby', { min: 0, max: 1 }) === 1 ? 1 : 0,
    exclusive: reader.flag('exclusive') ?? false,
    maxQueuedCalls: reader.integer('max_queued_calls', { min: 1, max: MAX_QUEUED_CALLS }) ?? MAX_QUEUED_CALLS,
  }
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

function warnUnenforced(reader: TableReader, issues: IssueList, key: string): void {
  const path = reader.pathOf(key)
  const remedy = 'Keep the line for a later version, and do not rely on it until then'
  issues.warning(path, `Cannot enforce "${path.join('.')}": this version does not enforce it yet. ${remedy}`)
}
