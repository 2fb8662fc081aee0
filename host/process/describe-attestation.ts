import type {
  AttestationItem,
  AttestationSummary,
  PluginAttestation,
} from '../../src/contract/attestation.ts'
import { cpuHoldOf } from '../monitor/cpu-hold.ts'
import type { InstanceSpec } from './instance-spec.ts'
import type { RunnerInstance } from './runner-instance.ts'

/** Null before the process was looked at. */
export function describeAttestation({ attestation, spec, pid }: RunnerInstance): PluginAttestation | null {
  const { at } = attestation
  if (at === null) return null
  const items = itemsOf(attestation, spec)
  const { plugin_id, workspace, generation } = spec.initialize
  return {
    plugin_id,
    workspace,
    generation,
    tier: spec.plan.tier,
    pid,
    at: at.toISOString(),
    holds: !items.some(({ verdict }) => verdict === 'differs'),
    items,
  }
}

/** The same in a line. */
export function summarizeAttestation({ attestation, spec }: RunnerInstance): AttestationSummary | null {
  const { at } = attestation
  if (at === null) return null
  const items = itemsOf(attestation, spec)
  const named = (verdict: AttestationItem['verdict']): string[] =>
    items.filter((item) => item.verdict === verdict).map(({ name }) => name)
  return {
    at: at.toISOString(),
    holding: named('holds').length,
    not_readable: named('not_readable'),
    not_held: named('not_held'),
  }
}

/** What was read back at the start, and of its control group what stands there now: limits change while it runs. */
function itemsOf(attestation: RunnerInstance['attestation'], spec: InstanceSpec): AttestationItem[] {
  return [...attestation.items, ...(spec.cgroup?.items() ?? []), ...processorNotHeld(spec)]
}

/** No wall of the plan: it depends on control groups, and may be set while the process runs. */
function processorNotHeld({ generation, plan, cgroup }: InstanceSpec): AttestationItem[] {
  if (generation.limits.maxCpuPercent === null) return []
  const hold = cpuHoldOf({ tier: plan.tier, hasCgroups: cgroup !== null }, generation.manifest)
  if (hold.by !== null) return []
  const nothing = { effective: null, mechanism: null, proof: null }
  return [{ name: 'max_cpu_percent', declared: hold.problem, ...nothing, verdict: 'not_held' }]
}
