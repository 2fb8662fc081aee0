import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { CallRequest } from '../execution/execution.ts'

/** What the runner is told of a call, or of a message. */
export function paramsOf(
  { operation, message, onProgress }: CallRequest,
  timeoutMs: number,
): RunnerParams['execute' | 'message'] {
  if (message !== null) return { ...message, timeout_ms: timeoutMs }
  const params: RunnerParams['execute'] = { operation, timeout_ms: timeoutMs }
  if (onProgress !== null) params.progress = true
  return params
}
