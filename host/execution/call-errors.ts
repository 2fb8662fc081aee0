import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import type { ManifestLimits } from '../../src/contract/manifest.ts'
import { PhantomError, type WireError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import { limitsHeld } from '../process/apply-limits.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { Execution } from './execution.ts'

const MEGABYTE = 1024 * 1024

/** The call's time is up. Whose deadline it was says whether a limit was broken or somebody was impatient. */
export function deadlineError(execution: Execution, nowMs: number): PhantomError {
  const { timeoutMs } = execution.call
  const runLimitMs = execution.runLimit.limitMs
  const what = `Cannot finish ${nameOf(execution)}`
  if (execution.deadlineOwner === 'caller') {
    const measured = Math.round(nowMs - execution.acceptedAtMs)
    return new PhantomError(
      'CALL_TIMEOUT',
      `${what}: no answer within the ${timeoutMs} ms that the call allows. Allow more time or give it less work`,
      { details: { timeout_ms: timeoutMs, set_by: 'caller', measured } },
    )
  }
  const measured = Math.round(nowMs - execution.dispatchedAtMs)
  if (execution.deadlineOwner === 'operation') {
    return new PhantomError(
      'CALL_TIMEOUT',
      `${what}: it ran ${measured} ms, its entry in [[operations]] allows timeout_ms = ${runLimitMs}. ` +
        'Give it less work, or raise timeout_ms in its plugin.toml',
      { details: { timeout_ms: runLimitMs, set_by: 'operation', measured } },
    )
  }
  return new PhantomError(
    'LIMIT_EXCEEDED',
    `${what}: it ran ${measured} ms, its limit max_execution_time_ms is ${runLimitMs}. ` +
      'Give it less work, or raise the limit in [resource_limits] of its plugin.toml',
    { details: { limit: 'max_execution_time_ms', declared: runLimitMs, measured } },
  )
}

function nameOf({ call }: Execution): string {
  return `"${call.operation}" of "${call.plugin.id}"`
}

export function cancelledError(execution: Execution): PhantomError {
  return new PhantomError('CALL_CANCELLED', `Cannot finish ${nameOf(execution)}: the call was cancelled`)
}

export interface MemoryUse {
  /** Above an idle runner, as the limit counts. */
  readonly usedBytes: number
  readonly limits: ManifestLimits
}

export function memoryError(execution: Execution, memory: MemoryUse): PhantomError {
  const declared = memory.limits.maxMemoryMb
  const measured = Math.round(memory.usedBytes / MEGABYTE)
  return new PhantomError(
    'LIMIT_EXCEEDED',
    `Cannot finish ${nameOf(execution)}: it asked for more memory than its ` +
      `limit max_memory_mb = ${declared} allows (it held ${measured} MB above an idle runner). Its process is replaced. ` +
      'Give it less data, or raise the limit in [resource_limits] of its plugin.toml',
    { details: { limit: 'max_memory_mb', declared, measured } },
  )
}

/** What a process holds, against what its manifest allows. */
export function memoryUseOf(instance: RunnerInstance): MemoryUse {
  instance.figures.sampler?.sample(performance.now())
  // Of one that answers still; its last sample may have seen it before it grew, or after it let go.
  if (instance.state === 'ready') instance.figures.sampler?.readPeak()
  return { usedBytes: instance.figures.peakUsedBytes, limits: limitsHeld(instance) }
}

/** The process died under the call. */
export function exitError(execution: Execution, exit: ExitInfo, memory: MemoryUse): PhantomError {
  if (exit.class === 'oom') return memoryError(execution, memory)
  const pluginId = execution.call.plugin.id
  const what = `Cannot finish ${nameOf(execution)}`
  if (exit.class === 'host_shutdown') {
    return new PhantomError(
      'DAEMON_SHUTTING_DOWN',
      `${what}: the daemon is shutting down. Call again when it is back`,
    )
  }
  const why =
    exit.class === 'wall_limit' || exit.class === 'cpu_limit' || exit.class === 'resource_limit'
      ? `its process was killed because of another call in it (${exit.message})`
      : `its process ended while it ran (${exit.message})`
  // Another generation serves, or none is to.
  const isWanted = exit.class === 'expected'
  return new PhantomError(
    'PLUGIN_CRASHED',
    `${what}: ${why}. ${isWanted ? 'See' : 'The next call starts it anew; see'} "phantom logs ${pluginId}"`,
    { details: { plugin_id: pluginId, exit_class: exit.class, exit_code: exit.code, signal: exit.signal } },
  )
}

/** A refusal of the runner, as the error a caller gets; null for the plugin's own failure, which is a result. */
export function runnerError(execution: Execution, error: WireError): PhantomError | null {
  const text = error.message.slice(0, MAX_PLUGIN_TEXT_CHARS)
  const details = safeDetails(error)
  switch (error.code) {
    case RUNNER_ERRORS.input_invalid:
      return new PhantomError('INPUT_INVALID', `Cannot run ${nameOf(execution)}: ${text}`, { details })
    case RUNNER_ERRORS.operation_not_found:
      return new PhantomError(
        'OPERATION_NOT_FOUND',
        `Cannot run ${nameOf(execution)}: ${text.replace(/^Cannot run "[^"]*": /, '')}`,
        {
          details,
        },
      )
    case RUNNER_ERRORS.payload_too_large:
      return new PhantomError('PAYLOAD_TOO_LARGE', `Cannot return from ${nameOf(execution)}: ${text}`, {
        details,
      })
    case RUNNER_ERRORS.cancelled:
      return cancelledError(execution)
    default:
      return null
  }
}

const MAX_DETAILS_CHARS = 4096

/** Details are the runner's words, so they are data of bounded size and nothing more. */
function safeDetails(error: WireError): Record<string, unknown> {
  const details = error.data?.details
  if (typeof details !== 'object' || details === null || Array.isArray(details)) return {}
  return JSON.stringify(details).length > MAX_DETAILS_CHARS ? {} : { ...details }
}
