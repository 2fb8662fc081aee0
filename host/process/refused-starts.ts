import type { PluginAttestation } from '../../src/contract/attestation.ts'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import type { AuditEvent } from '../audit/audit-log.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import { describeAttestation } from './describe-attestation.ts'
import type { RunnerInstance } from './runner-instance.ts'

/** Processes that never got their plugin's code, since what holds them is not what was declared. */
export class RefusedStarts {
  readonly #record: (event: AuditEvent) => void
  readonly #last = new WeakMap<InstanceLane, PluginAttestation | null>()

  constructor(record: (event: AuditEvent) => void) {
    this.#record = record
  }

  add(lane: InstanceLane, instance: RunnerInstance, { details }: PhantomError): void {
    this.#last.set(lane, describeAttestation(instance))
    this.#record({
      action: 'sandbox.attestation_failed',
      plugin_id: lane.plugin.id,
      outcome: 'refused',
      actor: null,
      details: { differences: details['differences'] },
    })
  }

  /** What the last such process there had; null where there was none. */
  lastOf(lane: InstanceLane): PluginAttestation | null {
    return this.#last.get(lane) ?? null
  }
}
