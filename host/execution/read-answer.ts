import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { messageOf, type WireError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import { memoryError, memoryUseOf, runnerError } from './call-errors.ts'
import type { Execution } from './execution.ts'
import { limitBehind, limitNote } from './limit-behind.ts'
import { toResultText } from './execution-result.ts'

const NO_FILES: readonly string[] = []

interface Outcome {
  readonly error: string | null
  readonly payload: Buffer | null
  /** That the call created. */
  readonly files: readonly string[]
}

/** Turns what a process answered into the one answer of a call: a result, or a failure of the system. */
export function readAnswer(instance: RunnerInstance, execution: Execution, answer: Answer): void {
  if (execution.isSettled) return
  if (answer.error !== null && rejectFor(instance, execution, answer.error)) return
  const error = answer.error === null ? null : faultWords(instance, answer.error)
  const payload = answer.error === null ? answer.payload : null
  const { grantedWritePaths } = instance.spec.reach
  // It came just now, and the instance has asked the clock: once more for each step would show in small calls.
  if (grantedWritePaths.length === 0)
    settle(instance, execution, { error, payload, files: NO_FILES }, instance.lastCallAtMs)
  else void settleWithFiles(instance, execution, { error, payload })
}

/** True when the answer is a failure of the system; the plugin's own failure is a result. */
function rejectFor(instance: RunnerInstance, execution: Execution, error: WireError): boolean {
  if (error.code === RUNNER_ERRORS.out_of_memory) {
    execution.settle({ kind: 'rejected', error: memoryError(execution, memoryUseOf(instance)) })
    void instance.end('memory_refused')
    return true
  }
  const { maxOutputBytes } = instance.generation.limits
  // Where the daemon allows less than the plugin does, it is the daemon's limit.
  const isOwn = maxOutputBytes !== null && maxOutputBytes <= instance.spec.initialize.max_payload_bytes
  if (error.code === RUNNER_ERRORS.payload_too_large && isOwn) {
    const breach = {
      limit: 'max_output_bytes',
      declared: maxOutputBytes,
      measured: claimedBytes(error),
    } as const
    instance.breakLimit(execution, breach, 'resource_limit')
    return true
  }
  const rejection = runnerError(execution, error) ?? instance.denials.behindCall(execution, error)
  if (rejection !== null) {
    execution.settle({ kind: 'rejected', error: rejection })
    return true
  }
  const behind = limitBehind(instance, error)
  if (behind?.isSeen === true) instance.breakLimit(execution, behind.breach, 'resource_limit')
  return behind?.isSeen === true
}

/** The plugin's own failure; where it names a limit that the host did not see met, with the limit's name. */
function faultWords(instance: RunnerInstance, error: WireError): string {
  const behind = limitBehind(instance, error)
  const words = error.message.slice(0, MAX_PLUGIN_TEXT_CHARS)
  return behind === null ? words : `${words}${limitNote(behind)}`
}

async function settleWithFiles(
  instance: RunnerInstance,
  execution: Execution,
  outcome: Omit<Outcome, 'files'>,
): Promise<void> {
  let files = NO_FILES
  const { grantedWritePaths } = instance.spec.reach
  try {
    const { plugin, workspace } = execution.call
    const lane = plugin.lanes.get(workspace)
    const found = await lane?.createdFiles.find(grantedWritePaths, execution.dispatchedAtEpochMs)
    files = found?.files ?? NO_FILES
    if (found?.complete === false)
      execution.addWarning('created_files is cut: the folders hold more than the host looks at')
  } catch (error) {
    execution.addWarning(`created_files is not known: ${messageOf(error)}`)
  }
  settle(instance, execution, { ...outcome, files }, performance.now())
}

function settle(instance: RunnerInstance, execution: Execution, outcome: Outcome, nowMs: number): void {
  const result = toResultText(execution, outcome.error, {
    nowMs,
    generation: instance.generation.number,
    sampleAtEnd: instance.figures.sampler?.sample(nowMs) ?? null,
    createdFiles: outcome.files,
    networkRequests: instance.spec.egress?.meter.use.requests ?? 0,
  })
  execution.settle({ kind: 'resolved', result, payload: outcome.payload, fault: outcome.error }, nowMs)
}

/** How large the result would have been is its process's word: nothing of it was sent. */
function claimedBytes({ data }: WireError): number | null {
  const claimed: unknown = data?.details?.['measured']
  return typeof claimed === 'number' && Number.isSafeInteger(claimed) && claimed >= 0 ? claimed : null
}
