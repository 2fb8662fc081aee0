import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { BreakerInfo } from '../../src/contract/health.ts'
import type { Generation } from '../generations/generation.ts'
import type { CallRequest } from './execution.ts'

/** The plugin's own queue is full. */
export function queueFullError(
  pluginId: string,
  operation: string,
  { queued, limit }: { queued: number; limit: number },
): PhantomError {
  return new PhantomError(
    'QUEUE_FULL',
    `Cannot run "${operation}" of "${pluginId}": ${queued} calls wait already. Try again later`,
    { details: { queued, limit } },
  )
}

/** The daemon holds as many calls as it may, or the plugin has its share of them. */
export function hostFullError(
  pluginId: string,
  operation: string,
  held: { open: number; maxCalls: number; ofPlugin: number; share: number },
): PhantomError {
  const why =
    held.open >= held.maxCalls
      ? `the daemon holds ${held.open} calls, as many as execution.max_calls allows`
      : `${held.ofPlugin} of its calls are open, its share of the daemon's ${held.maxCalls} (execution.max_calls_share)`
  return new PhantomError(
    'QUEUE_FULL',
    `Cannot run "${operation}" of "${pluginId}": ${why}. Try again later`,
    { details: { open: held.open, limit: held.maxCalls, of_plugin: held.ofPlugin, share: held.share } },
  )
}

/** Plugins run for as many workspaces as they may. */
export function workspacesFullError(
  pluginId: string,
  workspace: string,
  { open, limit }: { open: number; limit: number },
): PhantomError {
  return new PhantomError(
    'QUEUE_FULL',
    `Cannot start "${pluginId}" for the workspace "${workspace}": plugins run for ${open} workspaces already, and ` +
      `execution.max_workspaces allows ${limit} (one plugin in one workspace counts as one). ` +
      'Wait until idle processes stop, or raise it',
    { details: { plugin_id: pluginId, open, limit } },
  )
}

/** The operation failed too often lately. */
export function circuitOpenError(call: CallRequest, breaker: Omit<BreakerInfo, 'operation'>): PhantomError {
  const { plugin, operation } = call
  const retryInMs = Math.ceil(breaker.retry_in_ms ?? 0)
  return new PhantomError(
    'CIRCUIT_OPEN',
    `Cannot run "${operation}" of "${plugin.id}": it failed too often, so it is left alone for another ` +
      `${retryInMs} ms. See "phantom why ${plugin.id}"`,
    {
      details: {
        plugin_id: plugin.id,
        operation,
        retry_in_ms: retryInMs,
        failure_rate: breaker.failure_rate,
      },
    },
  )
}

/** It was there when the call came, and is not in the generation that would run it. */
export function droppedOperationError({ operation }: CallRequest, generation: Generation): PhantomError {
  return new PhantomError(
    'OPERATION_NOT_FOUND',
    `Cannot run "${operation}" of "${generation.id}": generation ${generation.number} came while the call waited, ` +
      `and has no such operation. See "phantom info ${generation.id}"`,
    { details: { plugin_id: generation.id, operation, generation: generation.number } },
  )
}
