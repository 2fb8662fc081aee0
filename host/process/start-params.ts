import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { InstanceSpec } from './instance-spec.ts'

/** Asked for when they are sent: the configuration may have changed since the process was spawned. */
export function preloadParams({ initialize, configuration }: InstanceSpec): RunnerParams['preload'] {
  const { protocol_version, entry, operations, messages, observe, eval: mayEval } = initialize
  const { threads, thread_bytes } = initialize
  const { log_level } = configuration()
  const params = { protocol_version, entry, operations, log_level, observe, threads, eval: mayEval }
  return {
    ...params,
    ...(messages === undefined ? {} : { messages }),
    ...(thread_bytes === undefined ? {} : { thread_bytes }),
  }
}

export function initializeParams(
  { initialize, configuration }: InstanceSpec,
  previousState: unknown,
): RunnerParams['initialize'] {
  const params: RunnerParams['initialize'] = { ...initialize, ...configuration() }
  if (previousState !== undefined) params.previous_state = previousState
  return params
}
