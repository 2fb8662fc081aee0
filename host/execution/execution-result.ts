import type { ExecutionMetadata } from '../../src/contract/execution.ts'
import { writeResultText } from '../../src/rpc/result-lines.ts'
import type { ProcessSample } from '../monitor/process-sampler.ts'
import type { Execution } from './execution.ts'

const NONE: readonly string[] = []

/** What the host measured of a call and its process. */
export interface Measured {
  readonly nowMs: number
  readonly generation: number
  readonly sampleAtEnd: ProcessSample | null
  readonly createdFiles: readonly string[]
  /** Of the process since its start; 0 where it has no network. */
  readonly networkRequests: number
}

/** The JSON text of the specification's result, without `result` itself: that travels beside it as payload. */
export function toResultText(execution: Execution, error: string | null, measured: Measured): string {
  const { sampleAtStart } = execution
  const { sampleAtEnd, nowMs } = measured
  return writeResultText({
    plugin_id: execution.call.plugin.id,
    execution_id: execution.executionId!,
    success: error === null,
    result: null,
    error,
    warnings: (execution.warnings ?? NONE) as string[],
    logs: (execution.logs ?? NONE) as string[],
    execution_time_ms: Math.round((nowMs - execution.acceptedAtMs) * 1000) / 1000,
    memory_used_bytes: sampleAtEnd?.rssBytes ?? 0,
    cpu_time_ms:
      sampleAtStart === null || sampleAtEnd === null ? 0 : sampleAtEnd.cpuTimeMs - sampleAtStart.cpuTimeMs,
    created_files: measured.createdFiles as string[],
    network_requests: measured.networkRequests - (execution.networkAtStart?.requests ?? 0),
    metadata: { figures: figuresOf(execution, nowMs, sampleAtEnd), generation: measured.generation },
  })
}

/** A sample that was made before the call began says nothing of the call: its figures are the window's. */
function figuresOf(
  execution: Execution,
  nowMs: number,
  end: ProcessSample | null,
): ExecutionMetadata['figures'] {
  if (execution.shared) return 'process'
  const isMeasured =
    execution.sampleAtStart !== null && end !== null && end.atMs > execution.sampleAtStart.atMs
  return isMeasured && nowMs - execution.dispatchedAtMs >= nowMs - end.atMs ? 'call' : 'window'
}
