import { isPhantomError, type PhantomError } from '../../src/contract/phantom-error.ts'
import type { ErrorCode } from '../../src/contract/error-codes.ts'
import type { HistoryEntry } from '../../src/contract/health.ts'
import type { BreakerOutcome } from '../supervisor/circuit-breaker.ts'
import type { Execution, Settlement } from './execution.ts'

/** Failures that the plugin caused. A caller's input, impatience or missing right says nothing about an operation. */
const PLUGIN_FAILURES: ReadonlySet<ErrorCode> = new Set([
  'PLUGIN_CRASHED',
  'PLUGIN_START_FAILED',
  'PLUGIN_START_TIMEOUT',
  'LIMIT_EXCEEDED',
  'CALL_TIMEOUT',
  'PROTOCOL_VIOLATION',
])

/** What a breaker learns from a call: `neutral` is the caller's doing, or nobody's. */
export function outcomeOf(execution: Execution, settlement: Settlement): BreakerOutcome {
  if (settlement.kind === 'resolved') return 'ok'
  const { error } = settlement
  if (execution.isCollateral || !isPhantomError(error) || !PLUGIN_FAILURES.has(error.code)) return 'neutral'
  // The machine ran out of something before the operation could begin.
  if ('shortage' in error.details) return 'neutral'
  return error.code === 'CALL_TIMEOUT' && execution.deadlineOwner === 'caller' ? 'neutral' : 'failure'
}

/** For history and metrics. */
export function historyOutcome(settlement: Settlement): HistoryEntry['outcome'] {
  if (settlement.kind === 'resolved') return settlement.fault === null ? 'succeeded' : 'failed'
  return (settlement.error as PhantomError).code === 'CALL_CANCELLED' ? 'cancelled' : 'rejected'
}
