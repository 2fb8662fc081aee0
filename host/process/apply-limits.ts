import type { ManifestLimits } from '../../src/contract/manifest.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import type { Machine } from '../sandbox/machine.ts'
import { rlimitsOf, type Rlimits } from '../sandbox/rlimits.ts'
import type { RunnerInstance } from './runner-instance.ts'
import { setRlimits } from './set-rlimits.ts'

const KEYS: Partial<Record<keyof Rlimits, keyof ManifestLimits>> = {
  data: 'maxMemoryMb',
  nofile: 'maxOpenFiles',
  nproc: 'maxProcesses',
  fsize: 'maxFileSizeMb',
}

export interface NewLimits {
  readonly limits: ManifestLimits
  readonly before: ManifestLimits
  readonly machine: Machine
}

/** Of processes whose limits the kernel did not change: what holds them still. */
const kept = new WeakMap<RunnerInstance, Partial<ManifestLimits>>()

/** What holds a process: its generation's limits, but for those of the kernel's that stayed as they were. */
export function limitsHeld(instance: RunnerInstance): ManifestLimits {
  const { limits } = instance.generation
  const own = kept.get(instance)
  if (own === undefined) return limits
  // Narrower ones than the kernel's are watched.
  return { ...limits, ...own, maxMemoryMb: Math.min(limits.maxMemoryMb, own.maxMemoryMb ?? Infinity) }
}

/**
 * Gives a running process other limits of the kernel's. The kernel lets the daemon where the process has its own uid,
 * or the daemon CAP_SYS_RESOURCE (prlimit(2)); a control group is the daemon's own.
 *
 * @returns why some of its rlimits stay as they are until its next start; null where none does
 */
export async function applyLimits(instance: RunnerInstance, change: NewLimits): Promise<string | null> {
  const { limits, machine } = change
  const { pid, spec } = instance
  try {
    spec.cgroup?.limit(limits)
  } catch (error) {
    // Its group may have gone with the process, and then so may its limits.
    return messageOf(error)
  }
  instance.figures.throttle?.follow()
  if (pid === null) return 'it is not ready yet'
  if (machine.prlimitPath === null) return 'prlimit is not installed'
  const wanted = rlimitsOf(machine, { baseDataBytes: spec.baseDataBytes, limits })
  const problems = await setRlimits(machine.prlimitPath, pid, wanted)
  keep(instance, change.before, [...problems.keys()])
  return problems.size === 0 ? null : [...problems.values()].join('; ')
}

function keep(instance: RunnerInstance, before: ManifestLimits, names: readonly (keyof Rlimits)[]): void {
  const known = kept.get(instance)
  const keys = names.flatMap((name) => KEYS[name] ?? [])
  kept.set(instance, Object.fromEntries(keys.map((key) => [key, known?.[key] ?? before[key]])))
}
