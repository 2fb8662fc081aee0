import type { AttestationItem } from '../../../src/contract/attestation.ts'
import { compareDescriptors } from './compare-descriptors.ts'
import { compareEnvironment } from './compare-environment.ts'
import { compareLimits } from './compare-limits.ts'
import { compareMounts, type HostMounts } from './compare-mounts.ts'
import { compareNamespaces } from './compare-namespaces.ts'
import { compareStatus } from './compare-status.ts'
import { toItem } from './compared.ts'
import type { Expected } from './expected.ts'
import type { KernelFacts } from './read-facts.ts'

export interface DaemonView extends HostMounts {
  readonly kernel: KernelFacts
}

/** Pure: what was declared beside what the kernel says, a line for each thing that holds. */
export function compareFacts(expected: Expected, facts: KernelFacts, daemon: DaemonView): AttestationItem[] {
  const compared = [
    ...compareStatus(expected, facts.status, daemon.kernel.status),
    ...compareNamespaces(expected, facts, daemon.kernel),
    ...compareLimits(expected, facts.limits),
    compareEnvironment(expected, facts.environ),
    compareDescriptors(facts.descriptors),
    ...(expected.mounts === null ? [] : [compareMounts(expected.mounts, facts.mounts, daemon)]),
  ]
  return [
    ...compared.map((one) => toItem(one, expected.mechanisms[one.mechanism])),
    ...expected.notHeld.map(({ name, declared }) => ({
      name,
      declared,
      effective: null,
      mechanism: null,
      proof: null,
      verdict: 'not_held' as const,
    })),
  ]
}
