import { DEFAULT_MAX_EXECUTION_TIME_MS, DEFAULT_MAX_MEMORY_MB } from '../limits.ts'
import type { ManifestLimits } from '../manifest.ts'

/** The limits of a plugin whose manifest says nothing of them. */
export const SILENT_LIMITS: ManifestLimits = {
  maxMemoryMb: DEFAULT_MAX_MEMORY_MB,
  maxExecutionTimeMs: DEFAULT_MAX_EXECUTION_TIME_MS,
  maxCallsPerSecond: null,
  maxCpuTimeMs: null,
  maxCpuPercent: null,
  maxOpenFiles: null,
  maxProcesses: null,
  maxFileSizeMb: null,
  maxDiskMb: null,
  maxOutputBytes: null,
  maxNetworkConnections: null,
  maxNetworkBytes: null,
  maxNetworkRequests: null,
}
