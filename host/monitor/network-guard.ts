import type { NetworkFigures } from '../../src/contract/health.ts'
import type { ManifestLimits } from '../../src/contract/manifest.ts'
import type { LimitBreach } from '../execution/limit-error.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'

const idleBases = new WeakMap<RunnerInstance, { lastCallAtMs: number; use: NetworkFigures }>()
const NONE: NetworkFigures = { requests: 0, connections: 0, bytes: 0 }

/** From now on whatever goes through a process's proxy counts against its limits, and what is refused is a denial. */
export function watchNetwork(instance: RunnerInstance): void {
  instance.spec.egress?.meter.watch({
    onUse: (figure, by) => judgeNetwork(instance, figure, by),
    onRefused: (refusal) => instance.denials.refusedByProxy(refusal, instance.inFlight()),
  })
}

/**
 * Asked whenever a process has used its network. Over a limit, nothing more goes through, the call that is over it ends
 * at once, and the process with it. What a process does between its calls counts as a call's would: else it could wait
 * for their end.
 */
function judgeNetwork(instance: RunnerInstance, figure: keyof NetworkFigures, by: number): void {
  const use = instance.spec.egress?.meter.use
  if (use === undefined) return
  const { limits } = instance.generation
  for (const execution of instance.inFlight()) {
    const excess = excessOf(limits, use, execution.networkAtStart ?? NONE)
    if (excess === null) continue
    void instance.spec.egress?.close()
    instance.breakLimit(execution, excess, 'resource_limit')
    return
  }
  if (instance.inFlightCount > 0) return
  const before = idleBaseOf(instance, { ...use, [figure]: use[figure] - by })
  const excess = excessOf(limits, use, before)
  if (excess === null) return
  void instance.spec.egress?.close()
  instance.breakLimit(null, excess, 'resource_limit')
}

/** What it had used before it was first seen to use something without a call, since its last one. */
function idleBaseOf(instance: RunnerInstance, use: NetworkFigures): NetworkFigures {
  const known = idleBases.get(instance)
  if (known !== undefined && known.lastCallAtMs === instance.lastCallAtMs) return known.use
  idleBases.set(instance, { lastCallAtMs: instance.lastCallAtMs, use })
  return use
}

/** The first limit that was broken between two counts; null where none was. */
export function excessOf(
  limits: Pick<ManifestLimits, 'maxNetworkRequests' | 'maxNetworkConnections' | 'maxNetworkBytes'>,
  use: NetworkFigures,
  before: NetworkFigures,
): LimitBreach | null {
  const counted = [
    ['max_network_requests', limits.maxNetworkRequests, use.requests - before.requests],
    ['max_network_connections', limits.maxNetworkConnections, use.connections - before.connections],
    ['max_network_bytes', limits.maxNetworkBytes, use.bytes - before.bytes],
  ] as const
  for (const [limit, declared, measured] of counted) {
    if (declared !== null && measured > declared) return { limit, declared, measured }
  }
  return null
}
