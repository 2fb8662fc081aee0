import type { IsolationTier } from '../../src/contract/life.ts'
import { RUNTIME_CAPABILITIES, type Manifest } from '../../src/contract/manifest.ts'

/** By what a process is held to `max_cpu_percent`; or why nothing does, and what would. */
export type CpuHold =
  | { readonly by: 'cgroup' | 'stops' }
  | { readonly by: null; readonly problem: string; readonly remedy: string }

const REMEDY =
  'Give the daemon a part of cgroup v2 to divide (see "cgroup v2" in "phantom doctor"), or do without max_cpu_percent'

/**
 * A control group holds every plugin. Without one the daemon stops a process and lets it go on, which holds only what
 * cannot set itself going again: a program can, by a timer of the kernel's that sends SIGCONT, and so can one process
 * for another, or another plugin of the same user where there is no sandbox.
 */
export function cpuHoldOf(
  { tier, hasCgroups }: { tier: IsolationTier; hasCgroups: boolean },
  plugin: Pick<Manifest, 'type' | 'permissions' | 'runtime'>,
): CpuHold {
  if (hasCgroups) return { by: 'cgroup' }
  const way = tier === 'process' ? 'in tier "process" others could set it going again' : wayAround(plugin)
  if (way === null) return { by: 'stops' }
  return {
    by: null,
    problem: `not held on this machine: no delegated cgroup v2, and the daemon cannot stop it meanwhile: ${way}`,
    remedy: REMEDY,
  }
}

/** By what it asks for, held or not: what nobody approved today may be approved tomorrow. */
function wayAround({
  type,
  permissions,
  runtime,
}: Pick<Manifest, 'type' | 'permissions' | 'runtime'>): string | null {
  if (type === 'native') return 'a native plugin could set itself going again'
  if (permissions.some(({ kind }) => kind === 'process'))
    return 'with the permission "process" it could set itself going again'
  const capability = RUNTIME_CAPABILITIES.find((name) => runtime[name])
  return capability === undefined ? null : `with runtime.${capability} it could set itself going again`
}
