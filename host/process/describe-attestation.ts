import type {
  AttestationItem,
  AttestationSummary,
  PluginAttestation,
} from '../../src/contract/attestation.ts'
import type { RunnerInstance } from './runner-instance.ts'

/** Null before the process was looked at. */
export function describeAttestation({ attestation, spec, pid }: RunnerInstance): PluginAttestation | null {
  const { at, items } = attestation
  if (at === null) return null
  const { plugin_id, workspace, generation } = spec.initialize
  return {
    plugin_id,
    workspace,
    generation,
    tier: spec.plan.tier,
    pid,
    at: at.toISOString(),
    holds: !items.some(({ verdict }) => verdict === 'differs'),
    items: [...items],
  }
}

/** The same in a line. */
export function summarizeAttestation({ attestation }: RunnerInstance): AttestationSummary | null {
  const { at, items } = attestation
  if (at === null) return null
  const named = (verdict: AttestationItem['verdict']): string[] =>
    items.filter((item) => item.verdict === verdict).map(({ name }) => name)
  return {
    at: at.toISOString(),
    holding: named('holds').length,
    not_readable: named('not_readable'),
    not_held: named('not_held'),
  }
}
