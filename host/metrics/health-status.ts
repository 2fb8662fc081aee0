import type { BreakerInfo, HealthStatus, ReportedHealth } from '../../src/contract/health.ts'
import type { PluginState } from '../../src/contract/life.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { ErrorWindow } from './plugin-metrics.ts'

/** Fewer calls than this say nothing about a rate. */
const MIN_CALLS = 10
const UNHEALTHY_ERROR_RATE = 0.5
const DEGRADED_ERROR_RATE = 0.1
const FULL_QUEUE_SHARE = 0.8
const MAX_WORDS_CHARS = 200

export interface HealthFacts {
  readonly state: PluginState
  /** Why it is in that state, where there is more to say than the state's name. */
  readonly stateReason: string | null
  /** Its permissions are not enforced. */
  readonly isObserving: boolean
  readonly instances: number
  readonly breakers: readonly BreakerInfo[]
  /** The last minute. */
  readonly recent: ErrorWindow
  /** In the last five minutes. */
  readonly recentRestarts: number
  readonly queue: { readonly waiting: number; readonly limit: number }
  readonly reported: readonly ReportedHealth[]
}

interface Finding {
  readonly status: 'unhealthy' | 'degraded'
  readonly reason: string
}

/** The worst of what is found; `idle` only for a plugin with nothing against it. */
export function judgeHealth(facts: HealthFacts): { status: HealthStatus; reasons: string[] } {
  const findings = [
    ...judgeState(facts),
    ...(facts.isObserving ? [degraded('its permissions are observed, not enforced')] : []),
    ...facts.breakers.flatMap(judgeBreaker),
    ...judgeErrorRate(facts.recent),
    ...judgeRestarts(facts.recentRestarts),
    ...facts.reported.flatMap(judgeReport),
    ...judgeQueue(facts.queue),
  ]
  const reasons = findings.map(({ reason }) => reason)
  return { status: worstOf(findings) ?? statusWithoutFindings(facts), reasons }
}

function worstOf(findings: readonly Finding[]): HealthStatus | null {
  if (findings.some(({ status }) => status === 'unhealthy')) return 'unhealthy'
  return findings.length > 0 ? 'degraded' : null
}

function statusWithoutFindings({ state, instances }: HealthFacts): HealthStatus {
  if (state !== 'enabled') return 'unknown'
  return instances === 0 ? 'idle' : 'healthy'
}

function judgeState({ state, stateReason }: HealthFacts): Finding[] {
  switch (state) {
    case 'failed':
    case 'invalid':
    case 'blocked':
    case 'quarantined':
      return [
        {
          status: 'unhealthy',
          reason: stateReason === null ? `it is ${state}` : `it is ${state}: ${stateReason}`,
        },
      ]
    case 'discovered':
    case 'validated':
    case 'enabled':
      return []
  }
}

function judgeBreaker({ operation, state, retry_in_ms: retryInMs }: BreakerInfo): Finding[] {
  const name = quoteText(operation)
  if (state === 'half_open')
    return [degraded(`the circuit of operation ${name} is trying whether calls succeed again`)]
  if (state === 'closed') return []
  const next = retryInMs === null ? '' : `, the next try is in ${Math.ceil(retryInMs / 1000)} s`
  return [degraded(`the circuit of operation ${name} is open${next}`)]
}

function judgeErrorRate({ calls, errors }: ErrorWindow): Finding[] {
  if (calls < MIN_CALLS || errors / calls < DEGRADED_ERROR_RATE) return []
  const reason = `${errors} of ${calls} calls of the last minute went wrong`
  return [{ status: errors / calls >= UNHEALTHY_ERROR_RATE ? 'unhealthy' : 'degraded', reason }]
}

function judgeRestarts(restarts: number): Finding[] {
  if (restarts === 0) return []
  return [
    degraded(`it was restarted ${restarts === 1 ? 'once' : `${restarts} times`} in the last five minutes`),
  ]
}

function judgeQueue({ waiting, limit }: HealthFacts['queue']): Finding[] {
  return waiting > limit * FULL_QUEUE_SHARE
    ? [degraded(`${waiting} calls wait in a queue that takes ${limit}`)]
    : []
}

/** What the plugin returned from its `health()` may be anything; only the three usual words count. */
function judgeReport({ workspace, health, problem }: ReportedHealth): Finding[] {
  if (problem !== null) return [degraded(`${problem}, in ${quoteText(workspace)}`)]
  if (typeof health !== 'object' || health === null) return []
  const said = health as Record<string, unknown>
  const status = statusSaid(said)
  if (status === null) return []
  const words = [said['reason'], said['message']].find((text) => typeof text === 'string' && text !== '')
  const because = typeof words === 'string' ? `: ${quoteText(words.slice(0, MAX_WORDS_CHARS))}` : ''
  return [{ status, reason: `its own health() in ${quoteText(workspace)} says ${status}${because}` }]
}

function statusSaid(said: Record<string, unknown>): Finding['status'] | null {
  const status = said['status']
  if (status === 'unhealthy' || said['healthy'] === false || said['ok'] === false) return 'unhealthy'
  return status === 'degraded' ? 'degraded' : null
}

function degraded(reason: string): Finding {
  return { status: 'degraded', reason }
}
